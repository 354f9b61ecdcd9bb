// Text into the clipboard, on a page that came by plain http too: there browsers keep `navigator.clipboard` back.

import { Words } from "./strings.js";

/** @param {string} text @returns {Promise<boolean>} whether it is there */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/**
 * Has every button of the page copy what its `data-copy` names, now or later: they may come and go.
 * @param {HTMLElement} status  says how it went
 */
export function offerCopies(status) {
  const words = new Words();
  document.addEventListener("click", async (event) => {
    const button = /** @type {Element} */ (event.target).closest("button[data-copy]");
    if (!button) return;
    const shown = document.getElementById(button.getAttribute("data-copy") ?? "");
    const copied = await copy(shown?.dataset.secret ?? shown?.textContent ?? "");
    const before = button.textContent;
    button.textContent = status.textContent = copied ? words.say.copied : words.say.notCopied;
    if (!copied && shown) getSelection()?.selectAllChildren(shown); // one key stroke is left
    setTimeout(() => (button.textContent = before), 2000);
  });
}

/** @param {string} text */
function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "spoken"; // nobody sees it flash by
  area.setAttribute("aria-hidden", "true");
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return copied;
}
