// The page /play: one press opens a room, with bots or for friends.

import { ask, join, keepSeat } from "./seat.js";
import { play } from "./strings-play.js";

const BOTS = 8;
const say = play();

/** @param {string} id @param {boolean} solo */
function opens(id, solo) {
  const button = /** @type {HTMLButtonElement | null} */ (document.getElementById(id));
  button?.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const room = await ask("", solo ? { title: say.soloTitle, solo, bots: BOTS } : {});
      keepSeat(room.code, { host: room.host_token, solo });
      if (solo) await join(room.code);
      location.assign(solo ? `/r/${room.code}` : `/j/${room.code}`);
    } catch (error) {
      button.disabled = false;
      const shown = document.getElementById("refusal");
      if (shown) shown.textContent = error instanceof Error ? error.message : say.failed;
    }
  });
}

opens("solo", true);
opens("friends", false);
document.documentElement.dataset.started = "";
