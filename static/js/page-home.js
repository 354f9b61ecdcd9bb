// The sample on the home page: the real table, fed with a made-up crowd instead of a link.

import { Board } from "./board.js";

const table = /** @type {HTMLTableElement} */ (document.querySelector("#sample table"));
const pause = /** @type {HTMLButtonElement} */ (document.getElementById("pause"));

const players = [...table.tBodies[0].rows].map((row) => ({
  player: row.dataset.player ?? "",
  name: row.querySelector(".name")?.textContent ?? "",
  score: Number(row.dataset.score),
}));
const board = new Board(table);
let version = 0;

/** Somebody scores; who is behind a little more often, so that there is something to see. */
function play() {
  const index = Math.floor(players.length * Math.sqrt(Math.random()));
  players[index].score += [7, 9, 11, 15, 25][Math.floor(5 * Math.random())];
  players.sort((a, b) => b.score - a.score);
  const rows = players.map((player, place) => ({ ...player, rank: place + 1, position: place + 1 }));
  const round = /** @type {const} */ ({ number: 1, state: "open", frozen: false });
  version += 1;
  board.draw({ type: "snapshot", channel: "", epoch: "sample", version, round, total: rows.length, rows });
  setTimeout(play, 500 + 900 * Math.random());
}

pause.addEventListener("click", () => {
  board.paused = !board.paused;
  pause.setAttribute("aria-pressed", String(board.paused));
});

setTimeout(play, 1200);
