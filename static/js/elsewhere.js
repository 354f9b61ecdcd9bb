// One's seat on another device: the code that takes it there, and the seat that has come by one.

import { claimsOf, reason } from "./pass.js";
import { Refused, keepSeat, leaveSeat, seatIn } from "./seat.js";
import { play } from "./strings-play.js";

/**
 * Takes the seat that the address brings, if it does, and the token out of the address bar. Whoever follows a link means to
 * be that player: one that is good no more must not make a stranger of them, so the server is asked first.
 * @param {string} code
 * @param {string} channel
 * @returns {Promise<string>}  why the seat that was brought is none
 */
export async function arrive(code, channel) {
  const brought = new URLSearchParams(location.hash.slice(1));
  const token = brought.get("seat");
  if (token === null) return "";
  history.replaceState(history.state, "", location.pathname + location.search);
  const claims = claimsOf(token);
  const asked = claims && (await fetch(`/api/boards${channel}?top=1`, { headers: { authorization: token } }));
  if (!asked || asked.status === 401) return reason(token);
  leaveSeat(code);
  keepSeat(code, { token, player: claims.sub, name: brought.get("name") || undefined });
  return "";
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
