// Every word that the scripts show, in one dictionary per language, and the numbers in the reader's own notation.
// English first; another language is another entry of DICTIONARIES with the same members.

/**
 * @typedef {object} Dictionary
 * @property {string} connecting
 * @property {string} live
 * @property {string} reconnecting
 * @property {(time: string) => string} offline  `time` is "" while nothing has been seen yet
 * @property {string} refused
 * @property {string} linkLost  spoken once when the link goes
 * @property {string} linkBack  spoken once when it is back
 * @property {string} paused
 * @property {(places: string) => string} up
 * @property {(places: string) => string} down
 * @property {string} tied
 * @property {(name: string, place: string, total: string) => string} place
 * @property {(points: string, count: number, place: string) => string} gap
 * @property {(name: string) => string} notPlaced
 * @property {(number: string) => string} round
 * @property {string} roundSoon
 * @property {string} roundOver
 * @property {string} frozen
 * @property {string} tenSeconds
 * @property {(rank: number, number: string) => string} ordinal
 */

const ENGLISH_SUFFIX = { one: "st", two: "nd", few: "rd", other: "th", zero: "th", many: "th" };
const englishOrdinal = new Intl.PluralRules("en", { type: "ordinal" });
const englishPlural = new Intl.PluralRules("en");

/** @type {Record<string, Dictionary>} */
const DICTIONARIES = {
  en: {
    connecting: "Connecting",
    live: "Live",
    reconnecting: "Reconnecting",
    offline: (time) => (time ? `Offline, last known ${time}` : "Offline"),
    refused: "Access refused",
    linkLost: "The connection is lost. The last known ranking stays.",
    linkBack: "The ranking is live again.",
    paused: "Updates are paused.",
    up: (places) => `up ${places}`,
    down: (places) => `down ${places}`,
    tied: "Same score as the row above, reached later",
    // A name may run the other way; isolated, it leaves the sentence around it in order.
    place: (name, place, total) => `\u2068${name}\u2069 is ${place} of ${total}`,
    gap: (points, count, place) => `${points} ${englishPlural.select(count) === "one" ? "point" : "points"} to ${place}`,
    notPlaced: (name) => `\u2068${name}\u2069 is not on this board yet`,
    round: (number) => `Round ${number}`,
    roundSoon: "Starts in",
    roundOver: "Round over",
    frozen: "Standings frozen",
    tenSeconds: "Ten seconds left.",
    ordinal: (rank, number) => number + ENGLISH_SUFFIX[englishOrdinal.select(rank)],
  },
};

/** The dictionary of a language together with the notation of a locale. */
export class Words {
  #number;
  #signed;
  #time;

  /** @param {string} [locale]  a BCP 47 tag; its language picks the dictionary, the whole of it the notation */
  constructor(locale = globalThis.navigator?.language || "en") {
    /** @type {Dictionary} */
    this.say = DICTIONARIES[new Intl.Locale(locale).language] ?? DICTIONARIES.en;
    this.#number = new Intl.NumberFormat(locale);
    this.#signed = new Intl.NumberFormat(locale, { signDisplay: "exceptZero" });
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

  /** A time of day. @param {number} time  milliseconds since the epoch */
  time(time) {
    return this.#time.format(time);
  }

  /** Time left as m:ss, rounded up: 0:00 means over. @param {number} ms */
  clock(ms) {
    const seconds = Math.max(0, Math.ceil(ms / 1000));
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }
}
