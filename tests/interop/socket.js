// An AppSync Events client without a library: a WebSocket and the steps of AWS' developer guide ("Understanding the Event API
// WebSocket protocol", "Publish events via WebSocket"), in its order and with its forms.
//
//   node socket.js URL KEY CHANNEL EVENT…      URL is the HTTP endpoint, each event JSON; prints each frame that comes

const [endpoint, key, channel, ...events] = process.argv.slice(2);
const { WebSocket } = globalThis.WebSocket ? globalThis : await import("ws"); // Node.js has one of its own since 22
const { host } = new URL(endpoint);
const authorization = { "x-api-key": key, host };

function getAuthProtocol() {
  const header = btoa(JSON.stringify(authorization)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  return `header-${header}`;
}

const socket = new WebSocket(`${endpoint.replace("http", "ws")}/realtime`, ["aws-appsync-event-ws", getAuthProtocol()]);
const frames = [];
let told = () => {};
socket.onmessage = ({ data }) => {
  const frame = JSON.parse(data);
  console.log(JSON.stringify(frame));
  frames.push(frame);
  told();
};

/** Sends a message, and waits until so many frames of a type have come. */
async function say(message, type, count = 1) {
  socket.send(JSON.stringify(message));
  while (frames.filter((frame) => frame.type === type).length < count) await new Promise((resolve) => (told = resolve));
}

socket.onclose = ({ code }) => {
  console.log(JSON.stringify({ type: "closed", code, protocol: socket.protocol }));
  process.exit();
};
await new Promise((resolve) => (socket.onopen = resolve));

const id = crypto.randomUUID();
await say({ type: "connection_init" }, "connection_ack");
await say({ type: "subscribe", id, channel: channel.replace(/[^/]+$/, "*"), authorization }, "subscribe_success");
const texts = events.map((event) => JSON.stringify(JSON.parse(event)));
await say({ type: "publish", id: crypto.randomUUID(), channel, events: texts, authorization }, "data", events.length);
await say({ type: "unsubscribe", id }, "unsubscribe_success");
socket.close();
