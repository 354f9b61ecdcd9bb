// Every word that the scripts of the pages show, in one dictionary per language, on top of those of the live table in
// words.js, which embedded boards load too and which is therefore kept small. English first; another language is another
// entry of DICTIONARIES with the same members.

import { TableWords } from "./words.js";

/** @typedef {import("./standing.js").Standing} Standing */
/**
 * @typedef {object} Dictionary
 * @property {string} linkLost  spoken once when the link goes
 * @property {string} linkBack  spoken once when it is back
 * @property {(name: string, place: string, total: string) => string} place  `name` is "" for the reader's own
 * @property {(percent: string) => string} ahead
 * @property {(name: string) => string} notPlaced  `name` is "" for the reader's own
 * @property {(name: string) => string} notRevealed  likewise
 * @property {(number: string) => string} round
 * @property {string} roundSoon
 * @property {string} roundOver
 * @property {string} frozen
 * @property {(places: string) => string} veiled  places of a frozen board that are not revealed yet
 * @property {string} tenSeconds
 * @property {Record<string, string>} roles  what the bearer of a link may do, by the role of its token
 * @property {(does: string, time: string) => string} pass
 * @property {string} passBroken
 * @property {(time: string) => string} passEnded
 * @property {string} passRefused
 * @property {(name: string, score: string, place: string) => string} scored
 * @property {string} notSent
 * @property {string} linkRemoved  the server has closed the link on purpose
 * @property {string} newBoard  the board that was shown is gone, and another is in its place
 * @property {string} copied
 * @property {string} notCopied  the text is then selected
 */

// A name may run the other way; isolated, it leaves the sentence around it in order.
/** @param {string} name */
const subject = (name) => (name ? `\u2068${name}\u2069 is` : "You are");

/** @type {Record<string, Dictionary>} */
const DICTIONARIES = {
  en: {
    linkLost: "The connection is lost. The last known ranking stays.",
    linkBack: "The ranking is live again.",
    place: (name, place, total) => `${subject(name)} ${place} of ${total}`,
    ahead: (percent) => `ahead of ${percent}`,
    notPlaced: (name) => `${subject(name)} not on this board yet`,
    notRevealed: (name) => `${subject(name)} not revealed yet`,
    round: (number) => `Round ${number}`,
    roundSoon: "Starts in",
    roundOver: "Round over",
    frozen: "Standings frozen",
    veiled: (places) => `${places} still to be revealed`,
    tenSeconds: "Ten seconds left.",
    roles: {
      viewer: "watch this board",
      player: "score for yourself",
      scorekeeper: "send scores",
      host: "send scores, and lead this board",
      admin: "do everything",
    },
    pass: (does, time) => `By your link you may ${does}, until ${time}.`,
    passBroken: "This link is damaged: perhaps it was cut short when it was copied. Ask for it again.",
    passEnded: (time) => `This link has ended: it was good until ${time}. Ask whoever gave it to you for another.`,
    passRefused: "This link is good no more: it was revoked, or the server has started anew. Ask whoever gave it to you for another.",
    scored: (name, score, place) => `\u2068${name}\u2069: ${score}${place && `, ${place}`}`,
    notSent: "Not sent",
    linkRemoved: "The server has closed this connection and will not take it again. Reload the page to try anew.",
    newBoard: "A new board has started.",
    copied: "Copied",
    notCopied: "Selected: copy it",
  },
};

/** The dictionary of a language together with the notation of a locale. */
export class Words extends TableWords {
  #percent;

  /** @param {string} [locale]  a BCP 47 tag; its language picks the dictionary, the whole of it the notation */
  constructor(locale = globalThis.navigator?.language || "en") {
    super(locale);
    this.locale = locale;
    const table = /** @type {TableWords} */ (this).say;
    /** @type {import("./words.js").TableDictionary & Dictionary} */
    this.say = { ...table, ...(DICTIONARIES[this.language] ?? DICTIONARIES.en) };
    this.#percent = new Intl.NumberFormat(locale, { style: "percent" });
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

  /** A day and a time of day, the day only where it is another. @param {number} time  milliseconds since the epoch */
  moment(time) {
    const today = new Date(time).toDateString() === new Date().toDateString();
    /** @type {Intl.DateTimeFormatOptions} */
    const style = today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" };
    return new Intl.DateTimeFormat(this.locale, style).format(time);
  }

  /** Why the server will not have this page, or its request. @param {import("./link.js").LinkError} error */
  why(error) {
    return error.name === "ConnectionClosed" ? this.say.linkRemoved : error.message;
  }

  /** Time left as m:ss, rounded up: 0:00 means over. @param {number} ms */
  clock(ms) {
    const seconds = Math.max(0, Math.ceil(ms / 1000));
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }
}
