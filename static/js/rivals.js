// Bots of a room that somebody plays alone: they see the lights a little later than people do, miss now and then, and
// what they press goes the same way as a player's, through the referee.

import { lightsOf, press } from "./lights.js";

/** @typedef {import("./play.js").Game} Game */

const NAMES = ["Ada", "Grace", "Hedy", "Ken", "Radia", "Edsger", "Alan", "Katherine"];
const TICK = 500;
const MOST_EVENTS = 5;

/** The events by which they enter a room, no more than five in each publish. @param {(name: string) => string} called */
export function entering(called) {
  return batches(
    NAMES.map((name, index) => ({ op: "enter", player: `bot-${index + 1}`, name: called(name), meta: { bot: true } })),
  );
}

/** The bots in one round. */
export class Rivals {
  #timer;
  #n = 0;

  /**
   * @param {Game} game
   * @param {number} number  of the round
   * @param {() => number} at  milliseconds since it began
   * @param {(events: object[]) => void} send
   */
  constructor(game, number, at, send) {
    const lights = lightsOf(game.seed, number, game.round_ms);
    const by = `bots${Math.floor(Math.random() * 1e9)}`;
    const bots = NAMES.map((_, index) => ({
      player: `bot-${index + 1}`,
      hand: { light: 0, combo: 0, ready: 0 },
      pause: 480 + 70 * index,
      due: 700 + 400 * Math.random(),
    }));
    this.#timer = setInterval(() => {
      const now = at();
      if (now > game.round_ms) this.stop();
      const events = [];
      for (const bot of bots) {
        const hits = [];
        while (bot.due <= Math.min(now, game.round_ms - 1)) {
          const lit = lights[bot.hand.light];
          const tile = Math.random() < 0.92 ? lit : (lit + 1) % 9;
          const done = press(bot.hand, tile, Math.floor(bot.due), lights);
          if (done) {
            hits.push({ tile, at: Math.floor(bot.due) });
            bot.hand = done.hand;
          }
          bot.due += bot.pause * (0.7 + 0.6 * Math.random());
        }
        this.#n += 1;
        if (hits.length) events.push({ player: bot.player, hits: hits.slice(0, 25), round: number, by, n: this.#n });
      }
      for (const batch of batches(events)) send(batch);
    }, TICK);
  }

  stop() {
    clearInterval(this.#timer);
  }
}

/** @template T @param {T[]} events */
function batches(events) {
  /** @type {T[][]} */
  const found = [];
  for (let start = 0; start < events.length; start += MOST_EVENTS) found.push(events.slice(start, start + MOST_EVENTS));
  return found;
}
