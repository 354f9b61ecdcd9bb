// One's seat on another device: the code that takes it there, and the seat that has come by one.

import { Refused, keepSeat, seatIn } from "./seat.js";
import { play } from "./strings-play.js";

/** Takes the seat that the address brings, if it does, and the token out of the address bar. @param {string} code */
export function arrive(code) {
  const token = new URLSearchParams(location.hash.slice(1)).get("seat");
  if (!token) return;
  keepSeat(code, { token });
  history.replaceState(history.state, "", location.pathname + location.search);
}

/** Draws the code of one's seat where and when it is asked for. @param {string} code @param {HTMLDetailsElement} details */
export function offer(code, details) {
  const say = play();
  const picture = /** @type {HTMLImageElement} */ (details.querySelector("img"));
  const note = /** @type {HTMLElement} */ (details.querySelector("p"));
  details.addEventListener("toggle", async () => {
    picture.hidden = true;
    note.textContent = "";
    if (!details.open) return;
    try {
      picture.src = `data:image/svg+xml,${encodeURIComponent(await draw(code))}`;
      picture.hidden = false;
      note.textContent = say.elsewhere;
    } catch (error) {
      note.textContent = error instanceof Refused ? error.message : say.failed;
    }
  });
}

/** @param {string} code */
async function draw(code) {
  const { token = "" } = seatIn(code);
  const answer = await fetch(`/ui/seat/${code}`, { method: "POST", headers: { authorization: token } });
  if (!answer.ok) throw new Refused(answer.status, (await answer.json()).message);
  return answer.text();
}
