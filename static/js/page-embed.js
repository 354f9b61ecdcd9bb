// The configurator, /embed: copying. What is shown is htmx's to fetch, and the board /widget.js's.

import { copy } from "./clipboard.js";
import { Words } from "./strings.js";

const words = new Words();
const status = /** @type {HTMLElement} */ (document.getElementById("status"));

// The buttons come and go with what is configured: the page listens for all of them.
document.addEventListener("click", async (event) => {
  const button = /** @type {Element} */ (event.target).closest("button[data-copy]");
  if (!button) return;
  const shown = document.getElementById(button.getAttribute("data-copy") ?? "");
  const copied = await copy(shown?.textContent ?? "");
  const before = button.textContent;
  button.textContent = status.textContent = copied ? words.say.copied : words.say.notCopied;
  if (!copied && shown) getSelection()?.selectAllChildren(shown); // one key stroke is left
  setTimeout(() => (button.textContent = before), 2000);
});
