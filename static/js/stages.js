// Where a room is and who is in it, by its newest snapshot alone.

/** @typedef {import("./link.js").Snapshot} Snapshot */
/** @typedef {"wait" | "lobby" | "count" | "play" | "over"} Stage */

/** How many are people, and how many bots. @param {Snapshot} snapshot */
export function crowdOf({ total, round }) {
  const bots = Math.min(total, Number(round.props?.bots) || 0);
  return { people: total - bots, bots };
}

/**
 * @param {Snapshot} snapshot
 * @returns {Stage}  "wait" where there is no room (any more)
 */
export function stageOf({ epoch, round, rows }) {
  const { number, state, props } = round;
  if (!epoch || !props?.round_ms) return "wait";
  if (state !== "closed") return state === "soon" ? "count" : "play";
  // A host that is a program may start a round without saying so in the props: then scores tell.
  const scored = rows?.some((row) => row.score !== 0 || /** @type {any} */ (row.meta)?.round === number);
  return props.played === number || scored ? "over" : "lobby";
}
