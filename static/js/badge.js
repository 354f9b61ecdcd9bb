// The badge of a page's link: how it stands, in a word and a colour. Where the server cannot reach its boards, what is shown
// may be old though the link is well: it is on its way back to them, as a link is.

/** @typedef {import("./link.js").State} State */

/**
 * Shows it from now on, each time that it changes; returns what shows another state until then.
 * @param {HTMLElement} shown
 * @param {import("./link.js").Link} link
 * @param {import("./words.js").TableWords} words
 * @param {(state: State) => void} [told]  hears what is shown
 */
export function showLink(shown, link, words, told) {
  let stale = false;

  /** @param {State} state */
  const show = (state) => {
    shown.dataset.state = state;
    shown.textContent = words.link(state, link.lastKnown);
    told?.(state);
  };
  const now = () => show(stale && link.state === "live" ? "reconnecting" : link.state);

  document.body.addEventListener("lb:state", now);
  document.body.addEventListener("lb:update", (event) => {
    const { snapshot } = /** @type {CustomEvent<import("./link.js").LinkEvents["lb:update"]>} */ (event).detail;
    if (stale === (snapshot.stale === true)) return;
    stale = !stale;
    now();
  });
  now();
  return show;
}
