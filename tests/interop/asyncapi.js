// Reads an AsyncAPI document from stdin, and prints what the official parser finds: JSON, `[]` of a good one's faults.

import { text } from "node:stream/consumers";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(await text(process.stdin));
const faults = diagnostics.map(({ severity, path, message }) => ({ severity, path, message }));
const operations = document?.operations().all().map((each) => each.id()) ?? null;
console.log(JSON.stringify({ faults, operations }));
