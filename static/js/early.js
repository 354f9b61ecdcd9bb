// A press that comes before the page's module has started is kept, and done when it has. A plain script in the head, so
// that it is there before there is anything to press; the module marks the root element once it listens itself.

(function () {
  "use strict";
  const root = document.documentElement;
  /** @type {HTMLElement | null} */
  let pressed = null;

  // Enter in a field arrives here too: as a click on the button of its form.
  /** @param {Event} event */
  function keep(event) {
    const button = /** @type {HTMLElement} */ (event.target).closest("button.scripted");
    if (!(button instanceof HTMLElement)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    pressed?.removeAttribute("aria-busy");
    pressed = button;
    button.setAttribute("aria-busy", "true");
  }

  addEventListener("click", keep, true);
  new MutationObserver((_, observer) => {
    observer.disconnect();
    removeEventListener("click", keep, true);
    pressed?.removeAttribute("aria-busy");
    pressed?.click();
  }).observe(root, { attributes: true, attributeFilter: ["data-started"] });
})();
