// The page /r/{code}/links: what a form has made is copied; the rest is htmx's.

import { offerCopies } from "./clipboard.js";

offerCopies(/** @type {HTMLElement} */ (document.getElementById("status")));

// What was refused before has nothing to say about the next attempt.
document.body.addEventListener("htmx:before:request", () => {
  /** @type {HTMLElement} */ (document.getElementById("refusal")).textContent = "";
});
