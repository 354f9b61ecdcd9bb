// Rows that explain themselves: who has moved, how far it is to the row above, why two of one score stand as they do.
//
//   const standings = new Standings();
//   link.subscribe("/leaderboard/arcade", { around: "ann" }, (snapshot) => {
//     standings.see(snapshot);
//     console.log(standings.of("ann"));
//   });
//
// All of it comes from the snapshots that this page saw, so that what is told always fits what is shown. Nothing is
// guessed: where a snapshot does not tell, nothing is said. leaderboard/standing.py finds the same, and
// tests/standings.json holds the two together. The words are in strings.js.

import { Movement } from "./movement.js";

/** @typedef {import("./link.js").Snapshot} Snapshot */
/** @typedef {import("./link.js").Row} Row */
/** @typedef {"desc" | "asc"} Order  whether more or less is better */
/**
 * @typedef {object} Standing  how one row stands; null where what this page saw does not tell
 * @property {Row} row
 * @property {number} total  entries of the board
 * @property {Row | null} above  the row right above, if it is in sight
 * @property {number | null} gap  points between the two; 0 where they have the same score, or differ by less than a
 *   double can be trusted
 * @property {number | null} toPass  what would have to be added to the score to stand above: one point more than the gap,
 *   since who is there first stays above at equal scores; negative where less is better. Only between whole scores: of
 *   others nobody knows the smallest step
 * @property {boolean} tied  the row above has the very same score, and reached it earlier
 * @property {number | null} ahead  percent of the board's entries, rounded down, whose scores are worse; rows of `around`
 *   and `of` know
 * @property {number} moved  places won (positive) or lost within the last seconds
 */

/** Significant digits that every double keeps: what differs behind them is noise of binary fractions. */
const DIGITS = 15;

/** Explains the rows of the snapshot that it was shown last. One of these is for one board. */
export class Standings {
  /** @type {Order | null} */
  #told;
  /** @type {Order | null} */
  #order;
  #movement = new Movement();
  /** The number of the round that was seen last. @type {number | undefined} */
  #round;
  /** @type {Map<string, Standing>} */
  #standings = new Map();

  /** @param {Order | null} [order]  unless given, it is read off the rows as soon as two of them differ */
  constructor(order = null) {
    this.#told = this.#order = order;
  }

  /** Which scores are better, as far as it is known. */
  get order() {
    return this.#order;
  }

  /**
   * Explains this one from now on. Each should be shown, in order: movement is found between them, within one round.
   * @param {Pick<Snapshot, "rows" | "around" | "of" | "total" | "reset"> & {round?: {number: number}}} snapshot
   * @param {number} [now]  milliseconds of any clock that does not jump
   * @returns {boolean} whether it has nothing to do with the one before: another life of the board, or another round
   */
  see(snapshot, now = performance.now()) {
    const number = snapshot.round?.number;
    const anew = Boolean(snapshot.reset) || number !== (this.#round ?? number);
    if (anew) this.#movement.forget();
    if (snapshot.reset) this.#order = this.#told;
    this.#round = number;
    const rows = lines(snapshot);
    this.#movement.note(now, rows);
    this.#order = this.#told ?? orderOf(rows) ?? this.#order;
    const explained = explain(rows, snapshot.total, this.#order);
    this.#standings = new Map(explained.map((each) => [each.row.player, each]));
    return anew;
  }

  /**
   * How a player stands; undefined if its row is not in sight.
   * @param {string} player
   * @param {number} [now]
   * @returns {Standing | undefined}
   */
  of(player, now = performance.now()) {
    const found = this.#standings.get(player);
    return found && { ...found, moved: this.moved(player, found.row.position, now) };
  }

  /** How all that are in sight stand, in their order. */
  *[Symbol.iterator]() {
    for (const player of this.#standings.keys()) yield /** @type {Standing} */ (this.of(player));
  }

  /**
   * Places won (positive) or lost by a player that is seen at this place.
   * @param {string} player
   * @param {number} position
   * @param {number} [now]
   */
  moved(player, position, now = performance.now()) {
    return this.#movement.of(player, position, now);
  }
}

/**
 * Rows of one snapshot, in their order, each explained by the one above it; without movement.
 * @param {Row[]} rows
 * @param {number} total
 * @param {Order | null} order
 * @returns {Standing[]}
 */
export function explain(rows, total, order) {
  return rows.map((row, index) => {
    const before = rows[index - 1];
    const above = before?.position === row.position - 1 ? before : null;
    const gap = above && difference(above.score, row.score);
    const known = gap !== null && order !== null && isWhole(above?.score) && isWhole(row.score);
    return {
      row,
      total,
      above,
      gap,
      toPass: known ? (order === "desc" ? gap + 1 : -(gap + 1)) : null,
      tied: above?.score === row.score,
      ahead: row.percentile === undefined ? null : percent(row.percentile),
      moved: 0,
    };
  });
}

/**
 * The rows of a snapshot in the order of the board: top, around and chosen players together, each once.
 * @param {Pick<Snapshot, "rows" | "around" | "of">} snapshot
 * @returns {Row[]}
 */
export function lines(snapshot) {
  /** @type {Map<string, Row>} */
  const rows = new Map();
  for (const part of [snapshot.rows, snapshot.around, snapshot.of]) {
    for (const row of part ?? []) rows.set(row.player, row);
  }
  return [...rows.values()].sort((a, b) => a.position - b.position);
}

/**
 * Which scores are better, as the rows' own order tells: null if all are equal, or they contradict each other.
 * @param {Row[]} rows
 * @returns {Order | null}
 */
function orderOf(rows) {
  const falls = rows.some((row, index) => rows[index - 1]?.score > row.score);
  const rises = rows.some((row, index) => rows[index - 1]?.score < row.score);
  if (falls === rises) return null;
  return falls ? "desc" : "asc";
}

/**
 * How far two scores are apart, without the noise of binary fractions: 0.3 and 0.1 are 0.2 apart.
 * @param {number} one
 * @param {number} other
 */
export function difference(one, other) {
  const apart = Math.abs(one - other);
  if (isWhole(one) && isWhole(other)) return apart;
  // Sums of fractions differ in digits that nobody ever scored: the larger one says how many count.
  const [, exponent] = Math.max(Math.abs(one), Math.abs(other)).toExponential().split("e");
  return Number(apart.toFixed(Math.min(100, Math.max(0, DIGITS - 1 - Number(exponent)))));
}

/** Whole percent, rounded down, so that no one is told too much; nobody is ahead of all, itself included. @param {number} share */
function percent(share) {
  return Math.min(99, Math.floor(share * 100 + 0.005)); // shares come with four decimals: 0.29 is 29 %, not 28.999
}

/** @param {number | undefined} score */
function isWhole(score) {
  return Number.isInteger(score);
}
