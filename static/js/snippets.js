// A request of the console as code that does the same: Python, JavaScript, a shell, Amplify. The text is for people to
// paste; nothing of it runs here.

/**
 * @typedef {object} Request
 * @property {"subscribe" | "publish"} op
 * @property {string} channel
 * @property {unknown[]} [events]  of a publish
 * @property {Record<string, unknown>} [view]  of a subscribe
 * @property {boolean} [raw]  a subscribe that gets events as they were published, and no snapshots
 */
/**
 * @typedef {object} Credential
 * @property {"key" | "token"} kind
 * @property {string} value  what to write into the code; "" for a placeholder
 */
/** @typedef {"python" | "javascript" | "curl" | "amplify"} Language */

const PLACEHOLDERS = { key: "YOUR-KEY", token: "YOUR-TOKEN" };

/**
 * @param {Language} language
 * @param {Request} request
 * @param {string} base  address of the server
 * @param {Credential} credential
 */
export function snippet(language, request, base, credential) {
  return { python, javascript, curl, amplify }[language](request, base, credential);
}

/**
 * The request in a frame that was sent; undefined for what is none.
 * @param {any} frame
 * @param {string[]} relays  namespaces that deliver events as they came
 * @returns {Request | undefined}
 */
export function requestOf(frame, relays) {
  const { type: op, channel, view, events } = frame ?? {};
  if (typeof channel !== "string") return undefined;
  if (op === "subscribe") {
    if (view === "events" || relays.includes(channel.split("/")[1])) return { op, channel, raw: true };
    return { op, channel, ...(view && { view: named(view) }) };
  }
  if (op !== "publish" || !Array.isArray(events)) return undefined;
  try {
    return { op, channel, events: events.map((event) => JSON.parse(event)) };
  } catch {
    return undefined;
  }
}

/** A view without what only a client that comes back says. @param {Record<string, unknown>} view */
function named({ since: _since, ...view }) {
  return view;
}

/** @param {Request} request @param {string} base @param {Credential} credential */
function python({ op, channel, events = [], view = {}, raw }, base, { kind, value }) {
  const options = Object.entries(view).map(([name, each]) => `, ${name}=${literal(each)}`);
  const body =
    op === "publish"
      ? [`        await client.publish(${[channel, ...events].map((each) => literal(each)).join(", ")})`]
      : [
          `        async with client.${raw ? "events" : "subscribe"}(${literal(channel)}${options.join("")}) as source:`,
          `            async for ${raw ? "event" : "snapshot"} in source:`,
          `                print(${raw ? "event" : "[(row.rank, row.name, row.score) for row in snapshot.rows]"})`,
        ];
  return [
    "import asyncio",
    "from leaderboard.client import connect",
    "",
    "",
    "async def main() -> None:",
    `    async with connect(${literal(base)}, ${kind}=${literal(value || PLACEHOLDERS[kind])}) as client:`,
    ...body,
    "",
    "",
    "asyncio.run(main())",
  ].join("\n");
}

/** @param {Request} request @param {string} base @param {Credential} credential */
function javascript({ op, channel, events = [], view, raw }, base, { kind, value }) {
  const credential = `${kind}: ${text(value || PLACEHOLDERS[kind])}`;
  return [
    `import { connect } from ${text(`${base}/static/js/link.js`)};`,
    "",
    `const link = connect({ url: ${text(base)}, ${credential} });`,
    op === "publish"
      ? `console.log(await link.publish(${text(channel)}, ${text(events)}));`
      : `link.subscribe(${text(channel)}, ${view || raw ? `${text(view ?? "events")}, ` : ""}(event) => console.log(event));`,
  ].join("\n");
}

/** @param {Request} request @param {string} base @param {Credential} credential */
function curl({ op, channel, events = [], view = {} }, base, { kind, value }) {
  const [name, prefix] = kind === "key" ? ["x-api-key", ""] : ["authorization", "Bearer "];
  const header = value
    ? shell(`${name}: ${prefix}${value}`)
    : `"${name}: ${prefix}$LEADERBOARD_${kind.toUpperCase()}"`;
  if (op === "publish") {
    const body = text({ channel, events: events.map((event) => text(event)) });
    return `curl ${shell(`${base}/event`)} \\\n  -H ${header} \\\n  -d ${shell(body)}`;
  }
  // A shell has no socket: the board as it is now.
  const query = Object.entries(view)
    .filter(([member]) => ["top", "around", "radius"].includes(member))
    .map(([member, each]) => `${member}=${encodeURIComponent(String(each))}`)
    .join("&");
  return `curl ${shell(`${base}/api/boards${channel}${query && `?${query}`}`)} \\\n  -H ${header}`;
}

/** @param {Request} request @param {string} base @param {Credential} credential */
function amplify({ op, channel, events = [] }, base, { kind, value }) {
  // Amplify turns http:// into wss://, and overlooks the capitals.
  const endpoint = `${base.replace(/^http:/, "HTTP:")}/event`;
  const mode =
    kind === "key"
      ? `defaultAuthMode: "apiKey", apiKey: ${text(value || PLACEHOLDERS.key)}`
      : 'defaultAuthMode: "lambda"';
  const lambda = `{ authMode: "lambda", authToken: ${text(value || PLACEHOLDERS.token)} }`;
  const with_ = kind === "key" ? "" : `, ${lambda}`;
  return [
    'import { Amplify } from "aws-amplify";',
    'import { events } from "aws-amplify/data";',
    "",
    "Amplify.configure({",
    `  API: { Events: { endpoint: ${text(endpoint)}, ${mode} } },`,
    "});",
    "",
    `const channel = await events.connect(${text(channel)}${with_});`,
    op === "publish"
      ? `await channel.publish(${text(events)}${with_});`
      : `channel.subscribe({ next: ({ event }) => console.log(event), error: console.error }${with_});`,
  ].join("\n");
}

/** As JavaScript, which JSON is. @param {unknown} value */
function text(value) {
  return JSON.stringify(value);
}

/** As a Python literal. @param {unknown} value @returns {string} */
function literal(value) {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value); // a JSON string is a Python string
  return `{${Object.entries(value ?? {}).map(([name, each]) => `${JSON.stringify(name)}: ${literal(each)}`).join(", ")}}`;
}

/** As one word of a shell. @param {string} word */
function shell(word) {
  return /^[\w:/.,=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
