// The live table: keyed rows that are written, re-ordered and moved. It draws only the newest snapshot, once per frame.
//
// Rows stand in normal document flow, so the reading order is the ranking. Motion is FLIP with the Web Animations API:
// measure where each row is seen, write and re-order, measure where it now belongs, and play the difference. Unlike a
// CSS transition such an animation survives re-insertion, so nothing jumps where `moveBefore` is missing.
// The elements are the same as those of templates/_rows.html, whose rows are adopted. Text goes into text nodes only.
// A board and its lines are one file, since the motion is one: what a line measures, the board has just re-ordered.

import { Standings } from "./standing.js";
import { TableWords } from "./words.js";

/** @typedef {import("./link.js").Snapshot} Snapshot */
/** @typedef {import("./standing.js").Order} Order */
/** @typedef {import("./standing.js").Standing} Standing */

// An animation may be sampled a fraction of a millisecond before its own start: without `fill` the row would be seen at
// its end for that one frame.
/** @type {KeyframeAnimationOptions} */
const SLIDE = { duration: 320, easing: "cubic-bezier(.2,.8,.2,1)", fill: "backwards" };
/** @type {KeyframeAnimationOptions} */
const ENTER = { duration: 160, easing: "ease-out", fill: "backwards" };
const FADE = /** @type {const} */ ({ duration: 1200, fill: "both" });
const HUES = 8;

/** Keeps one `<table>` showing the newest snapshot. */
export class Board {
  /** @type {Map<string, Line>} */
  #lines = new Map();
  #body;
  #words;
  #own;
  #onDraw;
  #calm = matchMedia("(prefers-reduced-motion: reduce)");
  /** @type {Snapshot | null} */
  #newest = null;
  #frame = 0;
  #tick = 0;
  #unseen = false;
  #paused = false;
  #ears = new AbortController();

  /**
   * @param {HTMLTableElement} table  with a `<tbody>`, whose rows are adopted
   * @param {object} [options]
   * @param {TableWords} [options.words]
   * @param {string} [options.own]  the player whose row stands out
   * @param {Order} [options.order]  which scores are better; unless given, the rows tell
   * @param {(snapshot: Snapshot) => void} [options.onDraw]  called with each snapshot that is drawn
   */
  constructor(table, { words = new TableWords(), own = "", order, onDraw = () => {} } = {}) {
    this.#body = table.tBodies[0];
    this.#words = words;
    this.#own = own;
    this.#onDraw = onDraw;
    for (const element of this.#body.rows) {
      const line = new Line(element);
      this.#lines.set(line.player, line);
    }
    /** How each player in sight stands, by the newest snapshot. */
    this.standings = new Standings(order);
    const rows = [...this.#lines.values()].map(({ element: { dataset }, player, position, score }) => {
      return { player, rank: Number(dataset.rank), position, score };
    });
    if (rows.length) this.standings.see({ total: 0, rows });
    // What happened while nobody looked is not played back: the next frame simply shows the newest.
    const { signal } = this.#ears;
    document.addEventListener("visibilitychange", () => (this.#unseen ||= document.hidden), { signal });
  }

  /** Takes a snapshot; an older one that was not drawn yet is dropped. @param {Snapshot} snapshot */
  draw(snapshot) {
    // From one round to the next nobody has won or lost points.
    if (this.standings.see(snapshot)) for (const line of this.#lines.values()) line.score = NaN;
    this.#newest = snapshot;
    this.#schedule();
  }

  get paused() {
    return this.#paused;
  }

  /** Freezes or frees the drawing. What arrives meanwhile is kept: only the newest of it is ever drawn. */
  set paused(value) {
    this.#paused = value;
    this.#schedule();
  }

  /** Lets go of the table, which stays as it is. */
  close() {
    this.paused = true;
    this.#ears.abort();
    clearTimeout(this.#tick);
  }

  #schedule() {
    if (this.#paused || this.#frame || !this.#newest) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      const snapshot = this.#newest;
      if (this.#paused || !snapshot) return;
      this.#newest = null;
      this.#paint([...this.standings]);
      this.#onDraw(snapshot);
    });
  }

  /** @param {Standing[]} standings */
  #paint(standings) {
    const moving = !this.#calm.matches && !document.hidden && !this.#unseen;
    this.#unseen = false;

    // First: where each row is seen now, in the middle of an earlier slide or not.
    /** @type {Map<Line, {top: number, slot: number}>} */
    const before = new Map();
    if (moving) {
      [...this.#body.rows].forEach((element, slot) => {
        const line = this.#lines.get(element.dataset.player ?? "");
        if (line) before.set(line, { top: element.getBoundingClientRect().top, slot });
      });
    }

    // Last: write and re-order.
    const staying = new Set(standings.map(({ row }) => row.player));
    for (const [player, line] of this.#lines) {
      if (staying.has(player)) continue;
      line.element.remove();
      this.#lines.delete(player);
    }
    /** @type {Line[]} */
    const order = [];
    const better = this.standings.order === "asc" ? -1 : 1;
    for (const standing of standings) {
      const { player } = standing.row;
      let line = this.#lines.get(player);
      if (!line) {
        line = Line.make(player);
        this.#lines.set(player, line);
      }
      // Of a hundred rows a screen shows a few; nobody sees the others move or fade.
      const seen = inSight(before.get(line)?.top);
      const marks = { own: player === this.#own, apart: order.length > 0 && !standing.above };
      line.write(standing, this.#words, better, marks, seen);
      order.push(line);
    }
    this.#reorder(order);
    this.#arrows();
    if (!moving) return;

    // A row that kept its slot is left alone, with the slide that it may be in.
    const moved = order.filter((line, slot) => before.has(line) && before.get(line)?.slot !== slot);
    for (const line of moved) line.still();
    const tops = moved.map((line) => line.element.getBoundingClientRect().top);
    moved.forEach((line, index) => {
      const from = before.get(line)?.top ?? 0;
      if (inSight(from) || inSight(tops[index])) line.slide(from - tops[index]);
    });
    for (const line of order) if (!before.has(line)) line.enter();
  }

  /** Puts the rows into this order with as few moves as a walk needs. @param {Line[]} order */
  #reorder(order) {
    const body = /** @type {HTMLElement & {moveBefore?: (node: Node, child: Node | null) => void}} */ (this.#body);
    /** @type {Element | null} */
    let cursor = body.firstElementChild;
    for (const { element } of order) {
      if (element === cursor) {
        cursor = cursor.nextElementSibling;
      } else if (element.isConnected && body.moveBefore) {
        body.moveBefore(element, cursor);
      } else {
        body.insertBefore(element, cursor);
      }
    }
  }

  /** Writes the arrows, and looks again each second while there are some: silence outdates them too. */
  #arrows() {
    const now = performance.now();
    let some = false;
    for (const line of this.#lines.values()) {
      some = line.arrow(this.standings.moved(line.player, line.position, now), this.#words) || some;
    }
    clearTimeout(this.#tick);
    if (some) this.#tick = setTimeout(() => this.#arrows(), 1000);
  }
}

/** One row: its cells, and what they say. */
class Line {
  #fade = 0;
  /** @type {Animation | undefined} */
  #fading;
  /** @type {Animation | undefined} */
  #motion;

  /** @param {HTMLTableRowElement} element */
  constructor(element) {
    this.element = element;
    this.player = element.dataset.player ?? "";
    const [rank, move, player, delta, score, gap] = element.cells;
    this.cells = { rank, move, delta, score, gap };
    this.face = /** @type {HTMLElement} */ (player.firstElementChild);
    this.name = /** @type {HTMLElement} */ (player.lastElementChild);
    const { dataset } = element;
    this.position = Number(dataset.position);
    this.score = Number(dataset.score);
  }

  /** A new row without text. @param {string} player */
  static make(player) {
    const face = make("span", { class: "face", "aria-hidden": "true", "data-hue": String(hue(player)) });
    const name = make("bdi", { class: "name", part: "name" });
    const element = make(
      "tr",
      { role: "row", part: "row", "data-player": player },
      make("td", { role: "cell", class: "rank", part: "rank" }),
      make("td", { role: "cell", class: "move" }),
      make("th", { role: "rowheader", scope: "row", class: "player" }, face, name),
      make("td", { role: "cell", class: "delta" }),
      make("td", { role: "cell", class: "score", part: "score" }),
      make("td", { role: "cell", class: "gap" }),
    );
    return new Line(/** @type {HTMLTableRowElement} */ (element));
  }

  /**
   * @param {Standing} standing
   * @param {TableWords} words
   * @param {number} better  1 if more is better, else -1
   * @param {{own: boolean, apart: boolean}} marks  `apart`: places are missing above
   * @param {boolean} seen
   */
  write(standing, words, better, { own, apart }, seen) {
    const entry = standing.row;
    const { rank, score } = this.cells;
    const shown = entry.name || entry.player;

    put(this.element, "data-rank", String(entry.rank));
    put(this.element, "data-position", String(entry.position));
    put(this.element, "data-score", String(entry.score));
    this.element.classList.toggle("own", own);
    this.element.classList.toggle("apart", apart);
    text(rank, words.number(entry.rank));
    if (this.name.textContent !== shown) {
      text(this.face, initials(shown));
      text(this.name, shown);
      put(this.name, "title", shown);
    }
    text(score, words.number(entry.score));
    this.#gap(standing, words);
    const change = entry.score - this.score;
    if (change) this.#change(words.signed(change), change * better > 0, seen);
    this.position = entry.position;
    this.score = entry.score;
  }

  /** @param {Standing} standing @param {TableWords} words */
  #gap(standing, words) {
    const { gap } = this.cells;
    const reason = words.reason(standing);
    const why = [reason, words.passing(standing)].filter(Boolean).join(" · ");
    if ((gap.getAttribute("title") ?? "") === why) return;
    if (why) put(gap, "title", why);
    else gap.removeAttribute("title");
    gap.replaceChildren();
    if (!reason) return;
    const short = standing.tied ? "=" : words.amount(standing.gap ?? 0);
    gap.append(make("span", { "aria-hidden": "true" }, short), make("span", { class: "spoken" }, reason));
  }

  /**
   * Shows what the score has just gained or lost, for a moment.
   * @param {string} amount
   * @param {boolean} gain
   * @param {boolean} seen
   */
  #change(amount, gain, seen) {
    const { delta } = this.cells;
    text(delta, amount);
    put(delta, "data-way", gain ? "up" : "down");
    this.#fading?.cancel();
    if (seen) this.#fading = delta.animate({ opacity: [1, 1, 0], offset: [0, 0.6, 1] }, FADE);
    clearTimeout(this.#fade);
    this.#fade = setTimeout(() => {
      text(delta, "");
      this.#fading?.cancel();
    }, FADE.duration);
  }

  /**
   * @param {number} places  won (positive) or lost
   * @param {TableWords} words
   * @returns {boolean} whether there is an arrow
   */
  arrow(places, words) {
    const { move } = this.cells;
    const count = words.number(Math.abs(places));
    const way = places > 0 ? "up" : "down";
    const spoken = places === 0 ? "" : words.say[way](count);
    if ((move.firstElementChild?.textContent ?? "") !== spoken) {
      if (spoken) {
        put(move, "data-way", way);
        move.replaceChildren(
          make("span", { class: "spoken" }, spoken),
          make("span", { class: "places", "aria-hidden": "true" }, count),
        );
      } else {
        move.removeAttribute("data-way");
        move.replaceChildren();
      }
    }
    return spoken !== "";
  }

  /** Ends a slide, so that the row can be measured where it belongs. */
  still() {
    this.#motion?.cancel();
  }

  /** Slides in from so many pixels below (positive) or above; who rises passes over who falls. @param {number} from */
  slide(from) {
    if (from === 0) return;
    const zIndex = from > 0 ? 2 : 1;
    this.#motion = this.element.animate(
      [
        { transform: `translateY(${from}px)`, zIndex },
        { transform: "none", zIndex },
      ],
      SLIDE,
    );
  }

  enter() {
    this.element.animate({ opacity: [0, 1] }, ENTER);
  }
}

/**
 * @param {string} tag
 * @param {Record<string, string>} attributes
 * @param {...(Node | string)} children  strings become text nodes
 * @returns {HTMLElement}
 */
export function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Whether a row with this top is on the screen, or nearly. @param {number | undefined} top */
function inSight(top = Infinity) {
  return top > -100 && top < innerHeight;
}

/** @param {Element} element @param {string} value */
function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

/** @param {Element} element @param {string} name @param {string} value */
function put(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

// As wide as two Latin letters: one of them fills a face.
const wide = /^[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}]/u;
const letter = /[\p{L}\p{N}]/u;

/**
 * One or two letters for a face: of the first and the last word, as readers see letters, an emoji family being one. A sign
 * before a name stands beside the face anyway.
 * @param {string} name
 */
export function initials(name) {
  const words = name.match(/\S*[\p{L}\p{N}]\S*/gu) ?? name.match(/\S+/gu) ?? [];
  const letters = [...words.slice(0, 1), ...words.slice(1).slice(-1)].map((word) => [...graphemes.segment(word)][0].segment);
  const both = letters.every((each) => letter.test(each) && !wide.test(each));
  return (both ? letters.join("") : letters[0] ?? "").toUpperCase();
}

/** A colour of its own for each player, the same on every screen (FNV-1a over the id). @param {string} player */
export function hue(player) {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(player)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash % HUES;
}
