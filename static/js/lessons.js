// When a step of the lab is done: each looks at what passes over the connection, and says so once. docs/lab.md tells the
// same in words, at the end of each step.

/** @typedef {import("./frame-log.js").Entry} Entry */
/** @typedef {(entry: Entry) => boolean} Lesson  whether the step is done with this entry */

const CROWD = { window: 5000, events: 200, ratio: 4 };

/** The steps in their order; each call begins to look anew. @type {(() => Lesson)[]} */
export const LESSONS = [connected, subscribed, published, raced, conflated, cameBack, embedded, programmed];

/** @returns {Lesson} */
function connected() {
  const seen = new Set();
  return ({ way, type }) => {
    if (way === "in") seen.add(type);
    return seen.has("connection_ack") && seen.has("ka");
  };
}

/** @returns {Lesson} */
function subscribed() {
  return ({ type, asked }) => type === "data" && asked !== undefined;
}

/** @returns {Lesson} */
function published() {
  const own = new Own();
  return (entry) => {
    own.note(entry);
    return rows(entry).some((row) => own.scores.has(`${row.player} ${row.score}`));
  };
}

/** @returns {Lesson} */
function raced() {
  const own = new Own();
  /** @type {Map<string, number>} */
  const scores = new Map();
  return (entry) => {
    own.note(entry);
    let other = false;
    for (const { player, score } of rows(entry)) {
      if (!own.players.has(player) && scores.get(player) !== score && scores.size > 0) other = true;
    }
    for (const { player, score } of rows(entry)) scores.set(player, score);
    return other && entry.event.watching >= 2;
  };
}

/** @returns {Lesson} */
function conflated() {
  /** @type {{at: number, events: number, snapshots: number}[]} */
  let passed = [];
  return ({ at, type, way, frame, event }) => {
    if (way === "out" && type === "publish") passed.push({ at, events: frame.events?.length ?? 0, snapshots: 0 });
    else if (event?.type === "snapshot") passed.push({ at, events: 0, snapshots: 1 });
    else return false;
    passed = passed.filter((each) => at - each.at < CROWD.window);
    const events = passed.reduce((sum, each) => sum + each.events, 0);
    const snapshots = passed.reduce((sum, each) => sum + each.snapshots, 0);
    return events > CROWD.events && snapshots > 0 && events >= CROWD.ratio * snapshots;
  };
}

/** @returns {Lesson} */
function cameBack() {
  let lost = false;
  return ({ way, type, code }) => {
    lost ||= way === "close" && code !== 1000 && code !== 1005; // those are somebody's wish
    return lost && type === "subscribe_success";
  };
}

/** @returns {Lesson} */
function embedded() {
  let watching = Infinity;
  return ({ event }) => {
    if (event?.type !== "snapshot") return false;
    const more = event.watching > watching;
    watching = event.watching;
    return more;
  };
}

/** @returns {Lesson} */
function programmed() {
  return (entry) => rows(entry).some((row) => row.player === "python");
}

/** What this page has published itself, and the server has taken. */
class Own {
  /** @type {Set<string>} */
  players = new Set();
  /** @type {Set<string>} */
  scores = new Set();

  /** @param {Entry} entry */
  note({ type, asked }) {
    if (type !== "publish_success" || !Array.isArray(asked?.frame.events)) return;
    for (const text of asked.frame.events) {
      try {
        const { player, id, score } = JSON.parse(text);
        this.players.add(player ?? id);
        this.scores.add(`${player ?? id} ${score}`);
      } catch {
        // refused by the server as well
      }
    }
  }
}

/** The rows of a snapshot. @param {Entry} entry @returns {import("./link.js").Row[]} */
function rows({ event }) {
  return event?.type === "snapshot" ? [...(event.rows ?? []), ...(event.around ?? [])] : [];
}
