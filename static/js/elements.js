// The elements of a page, by the ids that its template gives them.

/** One that is always there. @param {string} id @returns {HTMLElement} */
export function element(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** Says something in one, if it is there; what it says already is left, or it would be read out again.
 * @param {string} id @param {string} content */
export function text(id, content) {
  const shown = document.getElementById(id);
  if (shown && shown.textContent !== content) shown.textContent = content;
}
