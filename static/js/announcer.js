// What a screen reader is told of a board that changes ten times a second: one polite sentence at a time.

/** At most one message in so many milliseconds; of those that come meanwhile only the last is said. */
const PAUSE = 5000;

/** Speaks through one element with role="status". */
export class Announcer {
  #element;
  #pending = "";
  #quiet = false;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
  }

  /** @param {string} message */
  say(message) {
    this.#pending = message;
    if (!this.#quiet) this.#speak();
  }

  #speak() {
    this.#element.textContent = this.#pending;
    this.#pending = "";
    this.#quiet = true;
    setTimeout(() => {
      this.#quiet = false;
      if (this.#pending) this.#speak();
    }, PAUSE);
  }
}

/**
 * Has it say that the link of the page is lost, and that it is back.
 * @param {Announcer} announcer
 * @param {{linkLost: string, linkBack: string}} say
 */
export function tellOfLink(announcer, say) {
  let lost = false;
  document.body.addEventListener("lb:state", (event) => {
    const { state } = /** @type {CustomEvent} */ (event).detail;
    if (state === "live" && lost) announcer.say(say.linkBack);
    if (state === "reconnecting") announcer.say(say.linkLost);
    lost = state !== "live";
  });
}
