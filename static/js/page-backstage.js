// The operators' page, /-/: looks every two seconds, with a key that is typed or rides in the fragment. It is kept in
// the memory of this page alone, and sent as a header.

import { workshop } from "./strings-workshop.js";

const PAUSE = 2000;
const { backstage: say } = workshop();
const entrance = /** @type {HTMLFormElement} */ (document.getElementById("entrance"));
const field = /** @type {HTMLInputElement} */ (document.getElementById("key"));
const trouble = /** @type {HTMLElement} */ (document.getElementById("trouble"));
const now = /** @type {HTMLElement} */ (document.getElementById("now"));
let key = new URLSearchParams(location.hash.slice(1)).get("key") ?? "";
if (location.hash) history.replaceState(null, "", location.pathname);

/** @type {ReturnType<typeof setTimeout> | undefined} */
let next;

function look() {
  clearTimeout(next);
  now.dispatchEvent(new CustomEvent("look"));
}

/** Ask for the key. @param {string} why */
function ask(why) {
  key = "";
  trouble.textContent = why;
  entrance.hidden = false;
  field.focus();
}

entrance.addEventListener("submit", (event) => {
  event.preventDefault();
  key = field.value.trim();
  field.value = "";
  trouble.textContent = "";
  look();
});

document.addEventListener("htmx:config:request", (event) => {
  const { request } = /** @type {CustomEvent} */ (event).detail.ctx;
  // A signed token has two dots; a key has none.
  if (key.split(".").length === 3) request.headers.Authorization = key;
  else request.headers["x-api-key"] = key;
});

document.addEventListener("htmx:after:request", (event) => {
  const { status } = /** @type {CustomEvent} */ (event).detail.ctx.response;
  if (status === 401 || status === 403) {
    ask(say.refused);
    return;
  }
  entrance.hidden = true;
  trouble.textContent = status < 400 ? "" : say.failed;
  next = setTimeout(look, PAUSE);
});

document.addEventListener("htmx:error", () => {
  trouble.textContent = say.away;
  next = setTimeout(look, PAUSE);
});

// htmx minds the element from then on.
addEventListener("load", () => setTimeout(() => (key ? look() : ask(""))));
