// The page of the running boards, /l: with a link to many boards, it shows those of the link.

import { drop, passForMany, reason, take } from "./pass.js";
import { Words } from "./strings.js";

const words = new Words();
const told = /** @type {HTMLElement} */ (document.getElementById("pass"));
const list = /** @type {HTMLElement} */ (document.querySelector(".boards"));
const brought = take();
/** Any that is for more than one board will do: narrower ones are for the pages of theirs. */
let pass = brought?.claims?.channel.endsWith("*") ? { token: brought.token, claims: brought.claims } : passForMany();

if (brought && !brought.claims) tell(reason(brought.token));
if (pass) tell(words.say.pass(words.say.roles[pass.claims.role] ?? "", words.moment(pass.claims.exp * 1000)));

document.addEventListener("htmx:config:request", (event) => {
  const { request } = /** @type {CustomEvent} */ (event).detail.ctx;
  if (pass) request.headers.Authorization = pass.token;
});

document.addEventListener("htmx:before:swap", (event) => {
  const { status } = /** @type {CustomEvent} */ (event).detail.ctx.response;
  if (status === 401) event.preventDefault(); // the sentence above says it
});

document.addEventListener("htmx:after:request", (event) => {
  const { status } = /** @type {CustomEvent} */ (event).detail.ctx.response ?? {};
  if (status !== 401 || !pass) return;
  drop(pass);
  tell(reason(pass.token));
  pass = null;
});

// htmx minds the list from then on.
if (pass) addEventListener("load", () => setTimeout(() => list.dispatchEvent(new CustomEvent("look"))));

/** @param {string} text */
function tell(text) {
  told.hidden = false;
  told.textContent = text;
}
