// The list of frames of the console: a line for each, and behind it the whole of it. Drawn at most once per picture, and
// by text nodes alone, since what passes over the wire comes from strangers.

import { explain, isError, passes } from "./frame-log.js";

/** @typedef {import("./frame-log.js").Entry} Entry */
/** @typedef {import("./strings-workshop.js").Workshop} Workshop */

/** Characters of a frame on its line. */
const EXCERPT = 240;
/** So near to the end a reader wants to see what comes. */
const NEAR = 40;
const ARROWS = { out: "→", in: "←", opening: "·", open: "·", close: "·" };

export class FrameList {
  /** @type {import("./frame-log.js").Filter} */
  #filter = "all";
  #paused = false;
  /** Entries up to this one have been drawn. */
  #drawn = 0;
  #pausedAt = 0;
  #scheduled = false;
  #following = true;
  /** @type {Map<Entry, HTMLLIElement>} */
  #lines = new Map();
  /** Lines whose entry has changed since. @type {Set<Entry>} */
  #changed = new Set();

  #log;
  #list;
  #scroller;
  #words;
  #say;
  #mask;
  #actions;
  #onDraw;
  #clock;

  /**
   * @param {import("./frame-log.js").FrameLog} log
   * @param {object} options
   * @param {HTMLOListElement} options.list
   * @param {HTMLElement} options.scroller
   * @param {import("./strings.js").Words} options.words
   * @param {Workshop} options.say
   * @param {(text: string) => string} options.mask  takes credentials out of what is shown
   * @param {(entry: Entry) => HTMLElement[]} options.actions  buttons of an opened line
   * @param {(state: {lines: number, waiting: number}) => void} options.onDraw
   */
  constructor(log, { list, scroller, words, say, mask, actions, onDraw }) {
    this.#log = log;
    this.#list = list;
    this.#scroller = scroller;
    this.#words = words;
    this.#say = say;
    this.#mask = mask;
    this.#actions = actions;
    this.#onDraw = onDraw;
    // The notation of the reader's language, but of 24 hours: lines stay short and sort by eye.
    this.#clock = new Intl.DateTimeFormat(navigator.language, {
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      fractionalSecondDigits: 3,
      hourCycle: "h23",
    });
    log.listen((entry) => {
      if (this.#lines.has(entry)) this.#changed.add(entry);
      this.#schedule();
    });
    scroller.addEventListener("scroll", () => {
      this.#following = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR;
    });
  }

  get paused() {
    return this.#paused;
  }

  /** The log goes on; the picture does not. */
  set paused(paused) {
    this.#paused = paused;
    this.#pausedAt = this.#log.entries.at(-1)?.number ?? 0;
    this.#schedule();
  }

  /** @param {import("./frame-log.js").Filter} filter */
  set filter(filter) {
    this.#filter = filter;
    this.redraw();
  }

  /** Draws all of it again: what may be shown, or how, has changed. */
  redraw() {
    this.#lines.clear();
    this.#changed.clear();
    this.#list.replaceChildren();
    this.#drawn = 0;
    this.#following = true;
    this.#schedule();
  }

  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#draw();
    });
  }

  #draw() {
    const { entries } = this.#log;
    const newest = entries.at(-1)?.number ?? 0;
    const until = this.#paused ? this.#pausedAt : newest;
    const following = this.#following;
    for (const entry of entries) {
      if (entry.number > this.#drawn && entry.number <= until && passes(entry, this.#filter)) this.#append(entry);
    }
    this.#drawn = until;
    if (!this.#paused) {
      for (const entry of this.#changed) this.#write(entry);
      this.#changed.clear();
      const oldest = entries[0]?.number ?? Infinity;
      for (const [entry, line] of this.#lines) {
        if (entry.number >= oldest) break;
        line.remove();
        this.#lines.delete(entry);
      }
      if (following) this.#scroller.scrollTop = this.#scroller.scrollHeight;
    }
    this.#onDraw({ lines: this.#lines.size, waiting: newest - until });
  }

  /** @param {Entry} entry */
  #append(entry) {
    const line = document.createElement("li");
    const details = document.createElement("details");
    details.append(document.createElement("summary"));
    details.addEventListener("toggle", () => {
      if (details.open) this.#following = false; // whoever reads one must not see it leave
      this.#write(entry);
    });
    line.append(details);
    this.#lines.set(entry, line);
    this.#write(entry);
    this.#list.append(line);
  }

  /** @param {Entry} entry */
  #write(entry) {
    const line = this.#lines.get(entry);
    if (!line) return;
    const details = /** @type {HTMLDetailsElement} */ (line.firstElementChild);
    const summary = /** @type {HTMLElement} */ (details.firstElementChild);
    const { labels } = this.#say;
    const way = { out: this.#say.sentAt, in: this.#say.receivedAt }[/** @type {"in"} */ (entry.way)] ?? this.#say.happened;
    const name = entry.type || (entry.binary ? labels.binary : labels[/** @type {"open"} */ (entry.way)]) || labels.text;
    const folded = entry.count > 1 ? this.#say.times(this.#words.number(entry.count)) : String(entry.frame?.id ?? "").slice(0, 12);
    const meaning = this.#mask(explain(entry, this.#say, (value) => this.#words.number(value)));
    line.dataset.way = entry.way;
    line.dataset.kind = isError(entry) ? "error" : entry.type;
    summary.replaceChildren(
      piece("time", this.#clock.format(entry.time)),
      piece("way", ARROWS[entry.way], way),
      piece("type", name),
      piece("id", folded),
      piece("size", entry.size ? this.#size(entry.size) : ""),
      piece("excerpt", entry.frame === undefined && entry.way !== "out" ? "" : this.#mask(entry.text.slice(0, EXCERPT))),
      piece("meaning", meaning),
    );
    if (!details.open) {
      summary.nextElementSibling?.remove();
      return;
    }
    if (summary.nextElementSibling) return;
    const whole = document.createElement("div");
    whole.className = "whole";
    if (entry.text && entry.size) whole.append(block(this.#mask(pretty(entry.frame, entry.text))));
    if (entry.event !== undefined) whole.append(block(this.#mask(pretty(entry.event, ""))));
    const buttons = document.createElement("p");
    buttons.className = "actions";
    buttons.append(...this.#actions(entry));
    whole.append(buttons);
    details.append(whole);
  }

  /** @param {number} size */
  #size(size) {
    if (size < 1000) return this.#say.bytes(this.#words.number(size));
    return this.#say.kilobytes(this.#words.number(Math.round(size / 100) / 10));
  }
}

/** @param {unknown} value @param {string} text  what to show of a value that there is not */
function pretty(value, text) {
  return value === undefined ? text : JSON.stringify(value, null, 2);
}

/** @param {string} name @param {string} text @param {string} [spoken]  what is read instead */
function piece(name, text, spoken) {
  const element = document.createElement(name === "time" ? "time" : "span");
  element.className = name;
  element.textContent = text;
  if (spoken) {
    element.setAttribute("role", "img");
    element.setAttribute("aria-label", spoken);
  }
  return element;
}

/** @param {string} text */
function block(text) {
  const element = document.createElement("pre");
  element.className = "code";
  element.tabIndex = 0;
  element.textContent = text;
  return element;
}
