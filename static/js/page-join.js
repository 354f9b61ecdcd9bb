// The page /j/{code}: a suggested name, three others, or one's own. Who was here goes on at once.

import { element } from "./elements.js";
import { ask, join, seatIn } from "./seat.js";
import { play } from "./strings-play.js";

const say = play();
const code = element("main").dataset.code ?? "";

if (seatIn(code).token) location.replace(`/r/${code}`);
else if (document.getElementById("join")) choose(); // a full room asks for no name
document.documentElement.dataset.started = "";

function choose() {
  const name = /** @type {HTMLInputElement} */ (element("name"));
  const roll = /** @type {HTMLButtonElement} */ (element("roll"));
  let left = 3;
  let busy = false;

  roll.addEventListener("click", async () => {
    left -= 1;
    roll.disabled = left === 0;
    roll.textContent = say.roll(left);
    try {
      name.value = (await ask(`/${code}/suggestion`)).name;
    } catch (error) {
      refuse(error);
    }
  });

  element("join").addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    try {
      await join(code, name.value);
      location.assign(`/r/${code}`);
    } catch (error) {
      busy = false;
      refuse(error);
      name.focus();
    }
  });
}

/** @param {unknown} error */
function refuse(error) {
  element("refusal").textContent = error instanceof Error ? error.message : say.failed;
}
