// The words of the game's pages: a part of the dictionary of strings.js in a file of its own, since boards and widgets
// need none of them. Another language is another entry of DICTIONARIES with the same members.

const plural = new Intl.PluralRules("en");

const ENGLISH = {
  soloTitle: "Solo",
  failed: "The server cannot be reached. Try again in a moment.",
  /** @param {number} left */
  roll: (left) => (left ? `Another name, ${left} left` : "No more names"),
  /** @param {number} count @param {string} shown @param {number} bots @param {string} botsShown */
  here: (count, shown, bots, botsShown) => {
    const people = `${shown} ${plural.select(count) === "one" ? "player" : "players"}`;
    const machines = `${botsShown} ${plural.select(bots) === "one" ? "bot" : "bots"}`;
    if (!count && !bots) return "Nobody is here yet";
    return `${[count && people, bots && machines].filter(Boolean).join(" and ")} ${count + bots === 1 ? "is" : "are"} here`;
  },
  /** @param {string} shown */
  others: (shown) => `and ${shown} more`,
  waiting: "Waiting for the host",
  /** @param {string} code */
  tell: (code) => `Tell the others the code: ${code}`,
  start: "Start the round",
  again: "Next round",
  nextByHost: "The next round is up to the host.",
  /** @param {number} combo */
  combo: (combo) => (combo > 1 ? `Combo ×${combo}` : ""),
  /** @param {string} rank @param {string} total */
  place: (rank, total) => `${rank} / ${total}`,
  go: "Go!",
  closed: "This room has ended: boards live in the server’s memory alone, and this one is gone. A new board starts with a new room.",
  ended: "Room closed",
  another: "Start another room",
  seatEnded: "Your seat in this room has ended.",
  goOn: "Go on with the seat of this device",
  joinAsNew: "Join as a new player",
  joinAgain: "Join again",
  removed: "The host has taken you out of this room.",
  hostEnded: "You cannot control this room any more: the link was revoked, or its time is over.",
  offBoard: "The host has taken you off the board.",
  anew: "Your old place here is gone: you have joined as a new player.",
  /** @param {string} name */
  shownAs: (name) => `Names are hidden: the big screen calls you ${name}`,
  /** @param {number} count @param {string} shown @param {number} bots @param {string} botsShown */
  crowd: (count, shown, bots, botsShown) =>
    `${shown} ${plural.select(count) === "one" ? "player" : "players"}` +
    (bots ? ` · ${botsShown} ${plural.select(bots) === "one" ? "bot" : "bots"}` : ""),
  lobby: "Waiting for the start",
  /** @param {string} number */
  round: (number) => `Round ${number}`,
  elsewhere: "Whoever scans this plays as you: same name, same score.",
};

/** @type {Record<string, typeof ENGLISH>} */
const DICTIONARIES = { en: ENGLISH };

/** The words for a reader. @param {string} [locale] */
export function play(locale = globalThis.navigator?.language || "en") {
  return DICTIONARIES[new Intl.Locale(locale).language] ?? DICTIONARIES.en;
}
