// One player's round of Light Nine: presses become hits that are told in batches, and points that are shown at once. The
// server decides: what it counts, and how far the player is, comes back in the player's row.

import { lightsOf, press } from "./lights.js";

/** @typedef {import("./lights.js").Hand} Hand */
/** @typedef {import("./link.js").Row} Row */
/** @typedef {{seed: number, round_ms: number}} Game */

/** The first hit is told at once; those of so many milliseconds after it together. */
const BATCH = 100;
/** Near the end each is told at once: what arrives late does not count. */
const HURRY = 600;
/** Hits of one event, as the referee takes them. */
const MOST = 25;
/** Events without an answer. While the link is away the hits gather here: as few events they are within the server's rate. */
const MOST_OPEN = 4;
/** After a pause of so long the row is believed rather than what this page counted: another device may have played. */
const QUIET = 1500;

export class Round {
  /** @type {Hand} */
  hand = { light: 0, combo: 0, ready: 0 };
  score = 0;
  /** When it began, on performance.now(). */
  start = Infinity;
  #lights;
  #length;
  #send;
  /** @type {{tile: number, at: number}[]} */
  #hits = [];
  #timer = 0;
  #open = 0;
  #last = -Infinity;

  /**
   * @param {Game} game
   * @param {number} number
   * @param {(hits: {tile: number, at: number}[]) => Promise<unknown>} send  rejects where they do not count
   */
  constructor(game, number, send) {
    this.number = number;
    this.#lights = lightsOf(game.seed, number, game.round_ms);
    this.#length = game.round_ms;
    this.#send = send;
  }

  /** A snapshot told when it begins; the one that came fastest is nearest to the truth. @param {number} start */
  begins(start) {
    this.start = Math.min(this.start, start);
  }

  /** Milliseconds since it began. */
  get at() {
    return Math.floor(performance.now() - this.start);
  }

  get left() {
    return this.#length - this.at;
  }

  get share() {
    return Math.max(0, Math.min(1, this.left / this.#length));
  }

  get running() {
    return this.at >= 0 && this.left > 0;
  }

  get lit() {
    return this.#lights[this.hand.light];
  }

  /** A press; what it was worth, or null if it does not count. @param {number} tile */
  press(tile) {
    const { at } = this;
    if (!this.running) return null;
    const done = press(this.hand, tile, at, this.#lights);
    if (!done) return null;
    this.hand = done.hand;
    this.score = Math.max(0, this.score + done.points);
    this.#last = performance.now();
    this.#hits.push({ tile, at });
    this.#tell();
    return done.points;
  }

  /** Tells what there is to tell, unless that was done a moment ago or too much is without an answer. */
  #tell() {
    const hurry = this.left < HURRY;
    if (!this.#hits.length || (!hurry && (this.#timer || this.#open >= MOST_OPEN))) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.#tell();
    }, BATCH);
    this.#open += 1;
    const settle = () => {
      this.#open -= 1;
      this.#tell();
    };
    // What was refused shows in the next row.
    this.#send(this.#hits.splice(0, MOST)).then(settle, () => {
      this.#last = -Infinity;
      settle();
    });
  }

  /** The player's row as the server has it. @param {Row} row */
  believe(row) {
    if (this.#open || this.#hits.length || performance.now() - this.#last < QUIET) return;
    const { round, light, combo, ready } = /** @type {any} */ (row.meta ?? {});
    this.score = row.score;
    this.hand = round === this.number ? { light, combo, ready } : { light: 0, combo: 0, ready: 0 };
  }
}
