// Players that are none: the same event from ten of them, or a crowd that does not stop.

/** A crowd stays below AppSync's 25 publishes per second of one connection. */
const CROWD = { players: 40, events: 5, pause: 50 };

/**
 * The same events as one of a crowd would send them: another player and another score. What names no player stays.
 * @param {unknown[]} events
 * @param {number} number  which bot
 * @param {string} name
 */
export function asBot(events, number, name) {
  return events.map((event) => {
    const known = /** @type {any} */ (event);
    if (!known || typeof known.score !== "number") return event;
    const { id: _id, ...rest } = known;
    return { ...rest, player: `bot-${number}`, name, score: Math.round(Math.random() * 1000) };
  });
}

/** Publishes 100 scores a second, of forty players, until stopped. */
export class Crowd {
  #timer = 0;
  #scores = new Array(CROWD.players).fill(0);
  #name;

  /** @param {(number: number) => string} name  what a bot is called */
  constructor(name) {
    this.#name = name;
  }

  get running() {
    return this.#timer !== 0;
  }

  /** @param {(events: object[]) => void} publish */
  start(publish) {
    this.stop();
    this.#timer = window.setInterval(() => publish(Array.from({ length: CROWD.events }, () => this.#score())), CROWD.pause);
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = 0;
  }

  /** Somebody scores. */
  #score() {
    const index = Math.floor(Math.random() * CROWD.players);
    this.#scores[index] += Math.ceil(Math.random() * 20);
    return { player: `bot-${index + 1}`, name: this.#name(index + 1), score: this.#scores[index] };
  }
}
