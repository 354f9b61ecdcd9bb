// Who has risen or fallen, compared with what this client saw about five seconds ago. Compared with the last frame
// instead, the arrows of a busy board would only flicker.

/** How far back the comparison reaches, in milliseconds. */
const SPAN = 5000;

/** Snapshots closer together than this share one memory: at most a dozen are kept, however fast the board. */
const STEP = 500;

/** The places that this client has seen lately. Times are milliseconds of any clock that does not jump. */
export class Movement {
  /** @type {{time: number, places: Map<string, number>}[]} oldest first; never empty once something was seen */
  #seen = [];

  /**
   * Remembers a frame.
   * @param {number} time
   * @param {Iterable<{player: string, position: number}>} rows
   */
  note(time, rows) {
    const places = new Map();
    for (const row of rows) places.set(row.player, row.position);
    const last = this.#seen[this.#seen.length - 1];
    // The newest of a step is the one kept, so that the last frame before a silence is always known; but not at the cost
    // of the first frame, with which everything is compared for the first five seconds.
    if (this.#seen.length > 1 && Math.floor(last.time / STEP) === Math.floor(time / STEP)) this.#seen.pop();
    this.#seen.push({ time, places });
    while (this.#seen.length > 1 && this.#seen[1].time <= time - SPAN) this.#seen.shift();
  }

  /**
   * Places won (positive) or lost since then, or since the player came into sight.
   * @param {string} player
   * @param {number} position
   * @param {number} now
   */
  of(player, position, now) {
    /** @type {number | undefined} */
    let before;
    for (const { time, places } of this.#seen) {
      if (before !== undefined && time > now - SPAN) break;
      before = places.get(player) ?? before;
    }
    return (before ?? position) - position;
  }

  /** A new life of the board: places of the old one mean nothing. */
  forget() {
    this.#seen = [];
  }
}
