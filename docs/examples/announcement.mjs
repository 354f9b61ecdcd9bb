// The example that AppSync Events was announced with: players' gains on /default/leaderboard, added up by every page.
//
//   npm install aws-amplify ws
//   LEADERBOARD_KEY=da2-… node announcement.mjs
//
// It runs here as it is. What it cannot do is left as it is, too: who comes late sees nothing of what was before, since
// a relay channel keeps nothing. On a board whose mode is `sum` the server does the adding, for latecomers as well.

import { Amplify } from "aws-amplify";
import { events } from "aws-amplify/data";
import { WebSocket } from "ws";

globalThis.WebSocket ??= WebSocket; // Node.js before 22 has none of its own

const url = process.env.LEADERBOARD_URL ?? "http://127.0.0.1:8000";
const endpoint = `${url.replace(/^http:/, "HTTP:")}/event`;
const apiKey = process.env.LEADERBOARD_KEY;
Amplify.configure({ API: { Events: { endpoint, defaultAuthMode: "apiKey", apiKey } } });

const players = ["abc123", "def456", "hij789", "kln123", "opq456"];
const scores = new Map(players.map((id) => [id, 0]));
const rounds = 11;
let seen = 0;

const channel = await events.connect("/default/leaderboard");
const subscription = channel.subscribe({
  next({ event: { id, score } }) {
    scores.set(id, scores.get(id) + score);
    seen += 1;
    if (seen === rounds) {
      const ranking = [...scores].sort(([, a], [, b]) => b - a);
      console.log(ranking.map(([player, total]) => `${player} ${total}`).join("\n"));
      channel.close();
    }
  },
  error: console.error,
});
await subscription.ready;

for (let round = 0; round < rounds; round += 1) {
  const id = players[round % players.length];
  await events.post("/default/leaderboard", { id, score: (round * 7) % 20 });
  await new Promise((resolve) => setTimeout(resolve, 100));
}
