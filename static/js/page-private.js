// The page of a board that not everybody may see: it asks nobody for anything, unless a link to the board brings a token.

import { passFor, reason, take } from "./pass.js";

const brought = take();
const { channel = "" } = /** @type {HTMLElement} */ (document.getElementById("main")).dataset;
const told = /** @type {HTMLElement} */ (document.getElementById("pass"));

if (brought && !brought.claims) {
  told.textContent = reason(brought.token);
  told.hidden = false;
} else if (passFor(channel)) {
  await import("./page-board.js");
}
