// Amplify, against a server of one's own: a score goes down, the ranking comes up.
//
//   npm install aws-amplify ws
//   LEADERBOARD_KEY=da2-… node amplify.mjs
//
// The key is the one that `leaderboard serve` printed. Nothing here is special to this server but the endpoint.

import { Amplify } from "aws-amplify";
import { events } from "aws-amplify/data";
import { WebSocket } from "ws";

globalThis.WebSocket ??= WebSocket; // Node.js before 22 has none of its own

const url = process.env.LEADERBOARD_URL ?? "http://127.0.0.1:8000";
// Without TLS the scheme is written in capitals: Amplify would make wss of `http`.
const endpoint = `${url.replace(/^http:/, "HTTP:")}/event`;
const apiKey = process.env.LEADERBOARD_KEY;
Amplify.configure({ API: { Events: { endpoint, defaultAuthMode: "apiKey", apiKey } } });

const channel = await events.connect("/leaderboard/amplify");
const subscription = channel.subscribe({
  next({ event: { rows, total } }) {
    console.log(rows.map(({ rank, player, score }) => `${rank}. ${player} ${score}`).join(", ") || "empty");
    if (total === 2) channel.close();
  },
  error: console.error,
});
await subscription.ready;

await channel.publish({ player: "ann", score: 120 }); // over the WebSocket
await events.post("/leaderboard/amplify", { player: "bob", score: 90 }); // over HTTP
