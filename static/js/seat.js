// Who this browser is in a room: kept by room, so that a reload, or a phone that has thrown the page away, keeps name and
// score. A browser that keeps nothing (private windows may not) plays until the page is left.

/**
 * @typedef {object} Seat
 * @property {string} player
 * @property {string} name
 * @property {string} token
 * @property {string} [host]  the room's host token, where this browser has opened the room
 * @property {boolean} [solo]  against bots
 */

/** @param {string} code @returns {Partial<Seat>} */
export function seatIn(code) {
  try {
    return JSON.parse(localStorage.getItem(`seat:${code}`) ?? "{}");
  } catch {
    return {};
  }
}

/** @param {string} code @param {Partial<Seat>} seat */
export function keepSeat(code, seat) {
  try {
    localStorage.setItem(`seat:${code}`, JSON.stringify({ ...seatIn(code), ...seat }));
  } catch {
    // nothing is kept then
  }
}

/** A seat that nobody takes any more. @param {string} code */
export function leaveSeat(code) {
  try {
    localStorage.removeItem(`seat:${code}`);
  } catch {
    // it was not kept either
  }
}

/** An answer of the server that is a refusal; its message is for people. */
export class Refused extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * Asks the server for something of the rooms.
 * @param {string} path  below /api/rooms
 * @param {object} [body]  of a POST
 * @param {string} [token]
 * @returns {Promise<any>}
 */
export async function ask(path, body, token) {
  const answer = await fetch(`/api/rooms${path}`, {
    method: body ? "POST" : "GET",
    headers: token ? { authorization: token } : {},
    ...(body && { body: JSON.stringify(body) }),
  });
  const told = await answer.json();
  if (!answer.ok) throw new Refused(answer.status, told.message);
  return told;
}

/**
 * Takes a seat in a room, the old one where there is one.
 * @param {string} code
 * @param {string} [name]
 */
export async function join(code, name) {
  const { player, token } = await ask(`/${code}/players`, name === undefined ? {} : { name }, seatIn(code).token).then(
    (joined) => {
      keepSeat(code, { player: joined.player, name: joined.name, token: joined.token });
      return joined;
    },
  );
  return { player, token };
}
