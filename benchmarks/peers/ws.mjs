// Node's `ws`: the broadcast of its README, a loop over the clients.
//
// /ws is who listens. What comes in at /publish goes to all of them at once; at /conflate the newest goes to all of
// them every 100 ms. /ingest is AppSync's publish without a fan-out: two levels of JSON in, a Map, JSON out.

import { randomUUID } from "node:crypto";
import WebSocket, { WebSocketServer } from "ws";

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 2048 });
const listeners = new Set();
const scores = new Map();
let newest = null;

function broadcast(data) {
  for (const client of listeners) {
    if (client.readyState === WebSocket.OPEN) client.send(data, { binary: false });
  }
}

setInterval(() => {
  if (newest !== null) broadcast(newest);
  newest = null;
}, 100);

const roles = {
  "/ws"(client) {
    listeners.add(client);
    client.on("close", () => listeners.delete(client));
  },
  "/publish"(client) {
    client.on("message", (data) => {
      broadcast(data);
      client.send("ok");
    });
  },
  "/conflate"(client) {
    client.on("message", (data) => {
      newest = data;
      client.send("ok");
    });
  },
  "/ingest"(client) {
    client.on("message", (data) => {
      const message = JSON.parse(data);
      const successful = message.events.map((text, index) => {
        const event = JSON.parse(text);
        scores.set(event.player, event.score);
        return { identifier: randomUUID(), index };
      });
      client.send(JSON.stringify({ type: "publish_success", id: message.id, successful, failed: [] }));
    });
  },
};

server.on("connection", (client, request) => {
  client.on("error", () => {});
  roles[request.url](client);
});
