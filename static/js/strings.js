// Every word that the scripts show, in one dictionary per language, and the numbers in the reader's own notation.
// English first; another language is another entry of DICTIONARIES with the same members.

/** @typedef {import("./standing.js").Standing} Standing */
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
 * @property {(name: string, place: string, total: string) => string} place  `name` is "" for the reader's own
 * @property {(amount: string, count: number, place: string) => string} gap
 * @property {(amount: string, count: number) => string} more
 * @property {(amount: string, count: number) => string} fewer
 * @property {(percent: string) => string} ahead
 * @property {(name: string) => string} notPlaced  `name` is "" for the reader's own
 * @property {(name: string) => string} notRevealed  likewise
 * @property {(number: string) => string} round
 * @property {string} roundSoon
 * @property {string} roundOver
 * @property {string} frozen
 * @property {(places: string) => string} hidden
 * @property {string} tenSeconds
 * @property {(rank: number, number: string) => string} ordinal
 */

const ENGLISH_SUFFIX = { one: "st", two: "nd", few: "rd", other: "th", zero: "th", many: "th" };
const englishOrdinal = new Intl.PluralRules("en", { type: "ordinal" });
const englishPlural = new Intl.PluralRules("en");
/** @param {number} count */
const points = (count) => (englishPlural.select(count) === "one" ? "point" : "points");
// A name may run the other way; isolated, it leaves the sentence around it in order.
/** @param {string} name */
const subject = (name) => (name ? `\u2068${name}\u2069 is` : "You are");

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
    tied: "same score, reached later",
    place: (name, place, total) => `${subject(name)} ${place} of ${total}`,
    gap: (amount, count, place) => `${amount} ${points(count)} to ${place}`,
    more: (amount, count) => `${amount} more ${points(count)} to pass`,
    fewer: (amount, count) => `${amount} fewer ${points(count)} to pass`,
    ahead: (percent) => `ahead of ${percent}`,
    notPlaced: (name) => `${subject(name)} not on this board yet`,
    notRevealed: (name) => `${subject(name)} not revealed yet`,
    round: (number) => `Round ${number}`,
    roundSoon: "Starts in",
    roundOver: "Round over",
    frozen: "Standings frozen",
    hidden: (places) => `${places} still to be revealed`,
    tenSeconds: "Ten seconds left.",
    ordinal: (rank, number) => number + ENGLISH_SUFFIX[englishOrdinal.select(rank)],
  },
};

/** The dictionary of a language together with the notation of a locale. */
export class Words {
  #number;
  #signed;
  #amount;
  #percent;
  #time;

  /** @param {string} [locale]  a BCP 47 tag; its language picks the dictionary, the whole of it the notation */
  constructor(locale = globalThis.navigator?.language || "en") {
    /** @type {Dictionary} */
    this.say = DICTIONARIES[new Intl.Locale(locale).language] ?? DICTIONARIES.en;
    this.#number = new Intl.NumberFormat(locale);
    this.#signed = new Intl.NumberFormat(locale, { signDisplay: "exceptZero" });
    // Three decimals as scores have, or three digits where that would show nothing of a small difference.
    this.#amount = new Intl.NumberFormat(locale, {
      maximumFractionDigits: 3,
      maximumSignificantDigits: 3,
      roundingPriority: "morePrecision",
    });
    this.#percent = new Intl.NumberFormat(locale, { style: "percent" });
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

  /**
   * A place in words: "You are 17th of 63 · 12 points to 16th · ahead of 73%".
   * @param {Standing} standing
   * @param {string} [name]  whose it is, unless it is the reader's own
   */
  sentence(standing, name = "") {
    const { row, total, tied, ahead } = standing;
    return [
      this.say.place(name, this.ordinal(row.rank), this.number(total)),
      this.reason(standing),
      tied && this.passing(standing),
      ahead && this.say.ahead(this.#percent.format(ahead / 100)),
    ]
      .filter(Boolean)
      .join(" · ");
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
