// The page /r/{code}/results: one's own row stands out and stays in sight, also where the table ends before it.

import { Board } from "./board.js";
import { seatIn } from "./seat.js";

const main = /** @type {HTMLElement} */ (document.querySelector("main"));
const table = /** @type {HTMLTableElement | null} */ (main.querySelector(".board table"));
const { code = "", channel = "", top = "" } = main.dataset;
const { player } = seatIn(code);

if (table && player) {
  const query = new URLSearchParams({ top, around: player, radius: "0" });
  fetch(`/api/boards${channel}?${query}`)
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(answer.status)))
    .then((snapshot) => new Board(table, { own: player, order: "desc" }).draw(snapshot))
    .catch(() => {}); // the table is there without it
}
