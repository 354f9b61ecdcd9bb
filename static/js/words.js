// The words of the live table and of its link, and the numbers in the reader's own notation: all that an embedded board
// can say. Pages say more: strings.js. English first; another language is another entry of DICTIONARIES with the same
// members.

/** @typedef {import("./standing.js").Standing} Standing */
/**
 * @typedef {object} TableDictionary
 * @property {string} connecting
 * @property {string} live
 * @property {string} reconnecting
 * @property {(time: string) => string} offline  `time` is "" while nothing has been seen yet
 * @property {string} refused
 * @property {string} pause
 * @property {string} paused
 * @property {string} waiting  while nobody has scored
 * @property {string[]} columns  names of the table's columns, in their order
 * @property {(places: string) => string} up
 * @property {(places: string) => string} down
 * @property {string} tied
 * @property {(amount: string, count: number, place: string) => string} gap
 * @property {(amount: string, count: number) => string} more
 * @property {(amount: string, count: number) => string} fewer
 * @property {(rank: number, number: string) => string} ordinal
 */

/** @type {Partial<Record<Intl.LDMLPluralRule, string>>} */
const ENGLISH_SUFFIX = { one: "st", two: "nd", few: "rd" };
const englishOrdinal = new Intl.PluralRules("en", { type: "ordinal" });
const englishPlural = new Intl.PluralRules("en");
/** @param {number} count */
const points = (count) => (englishPlural.select(count) === "one" ? "point" : "points");

/** @type {Record<string, TableDictionary>} */
const DICTIONARIES = {
  en: {
    connecting: "Connecting",
    live: "Live",
    reconnecting: "Reconnecting",
    offline: (time) => (time ? `Offline, last known ${time}` : "Offline"),
    refused: "Access refused",
    pause: "Pause updates",
    paused: "Paused",
    waiting: "Waiting for the first score",
    columns: ["Rank", "Movement", "Player", "Change", "Score", "Gap to the row above"],
    up: (places) => `up ${places}`,
    down: (places) => `down ${places}`,
    tied: "same score, reached later",
    gap: (amount, count, place) => `${amount} ${points(count)} to ${place}`,
    more: (amount, count) => `${amount} more ${points(count)} to pass`,
    fewer: (amount, count) => `${amount} fewer ${points(count)} to pass`,
    ordinal: (rank, number) => number + (ENGLISH_SUFFIX[englishOrdinal.select(rank)] ?? "th"),
  },
};

/** The dictionary of a language together with the notation of a locale. */
export class TableWords {
  #number;
  #signed;
  #amount;
  #time;

  /** @param {string} [locale]  a BCP 47 tag; its language picks the dictionary, the whole of it the notation */
  constructor(locale = globalThis.navigator?.language || "en") {
    this.language = new Intl.Locale(locale).language;
    /** @type {TableDictionary} */
    this.say = DICTIONARIES[this.language] ?? DICTIONARIES.en;
    this.#number = new Intl.NumberFormat(locale);
    this.#signed = new Intl.NumberFormat(locale, { signDisplay: "exceptZero" });
    // Three decimals as scores have, or three digits where that would show nothing of a small difference.
    this.#amount = new Intl.NumberFormat(locale, {
      maximumFractionDigits: 3,
      maximumSignificantDigits: 3,
      roundingPriority: "morePrecision",
    });
    this.#time = new Intl.DateTimeFormat(locale, { timeStyle: "medium" });
  }

  /** @param {number} value */
  number(value) {
    return this.#number.format(value);
  }

  /** With its sign. @param {number} value */
  signed(value) {
    return this.#signed.format(value);
  }

  /** @param {number} rank */
  ordinal(rank) {
    return this.say.ordinal(rank, this.number(rank));
  }

  /** How far two scores are apart. @param {number} value */
  amount(value) {
    return this.#amount.format(value);
  }

  /** Why a row stands below the one above it; "" where that cannot be known. @param {Standing} standing */
  reason({ tied, gap, above }) {
    if (tied) return this.say.tied;
    return gap && above ? this.say.gap(this.amount(gap), gap, this.ordinal(above.rank)) : "";
  }

  /** What it takes to stand above that one; "" where that cannot be known. @param {Standing} standing */
  passing({ toPass }) {
    if (toPass === null) return "";
    const count = Math.abs(toPass);
    return this.say[toPass > 0 ? "more" : "fewer"](this.amount(count), count);
  }

  /** A time of day. @param {number} time  milliseconds since the epoch */
  time(time) {
    return this.#time.format(time);
  }

  /**
   * How a link stands.
   * @param {import("./link.js").State} state
   * @param {number | null} [lastKnown]  when it last heard of something, in milliseconds since the epoch
   */
  link(state, lastKnown) {
    if (state !== "offline" && state !== "closed") return this.say[state];
    return this.say.offline(lastKnown ? this.time(lastKnown) : "");
  }
}
