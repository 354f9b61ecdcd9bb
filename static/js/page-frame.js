// The page in a frame, /embed/{channel}, and over a picture, /overlay/{channel}: what the address asks of the element,
// and the few sentences that are read aloud. The element itself is /widget.js, which runs after this.

import { Announcer } from "./announcer.js";
import { Words } from "./strings.js";

const board = /** @type {HTMLElement} */ (document.querySelector("live-leaderboard"));
const { clear, scale } = document.body.dataset;

// Behind the # a key reaches no log and no other site. It stays there: a frame that is loaded again needs it again.
function unlock() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (key) board.setAttribute("key", key);
}
unlock();
addEventListener("hashchange", unlock);

if (scale !== "1.0") document.body.style.fontSize = `${24 * Number(scale)}px`;

// Where no colour scheme may be named, the element cannot follow the reader's by itself.
if (clear !== undefined && board.getAttribute("theme") === "auto") {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => board.setAttribute("theme", dark.matches ? "dark" : "light");
  follow();
  dark.addEventListener("change", follow);
}

const words = new Words();
const announcer = new Announcer(/** @type {HTMLElement} */ (document.getElementById("status")));
let lost = false;
board.addEventListener("lb:state", (event) => {
  const { state } = /** @type {CustomEvent} */ (event).detail;
  if (state === "live" && lost) announcer.say(words.say.linkBack);
  if (state === "reconnecting") announcer.say(words.say.linkLost);
  lost = state === "reconnecting" || state === "offline";
});
