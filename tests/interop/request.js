// Publishes by another AppSync Events client: ob-appsync-events-request, which signs for IAM and posts by fetch.
//
//   node request.js ENDPOINT KEY CHANNEL EVENT…      each event is JSON; prints the status and the body of the answer

import { PublishRequest } from "ob-appsync-events-request/dist/index.mjs"; // its `main` names a file that it does not have

process.env.AWS_ACCESS_KEY_ID = "AKIDEXAMPLE"; // of AWS' own examples; nobody's
process.env.AWS_SECRET_ACCESS_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

const [url, key, channel, ...events] = process.argv.slice(2);
const headers = key ? { "x-api-key": key } : {};
const input = { url, region: "us-east-1", headers };
const answer = await fetch(await PublishRequest.signed(input, channel, ...events.map((event) => JSON.parse(event))));
console.log(JSON.stringify({ status: answer.status, body: await answer.json() }));
