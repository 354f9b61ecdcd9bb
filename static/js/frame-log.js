// The last 500 things that happened on a connection, and what each of them means: which request a frame answers, how
// long that took, what it says. Nothing is drawn here.

/** @typedef {import("./wire.js").Happening} Happening */
/**
 * @typedef {object} Entry
 * @property {number} number  counts up
 * @property {Happening["way"]} way
 * @property {string} text
 * @property {number} size
 * @property {boolean} binary
 * @property {number} time  milliseconds since the epoch
 * @property {number} at  the same on a clock that nobody sets
 * @property {any} [frame]  the text, if it is JSON
 * @property {any} [event]  of a `data` frame: the event in it, if that is JSON
 * @property {string} type  the frame's type; "" for what has none
 * @property {Entry} [asked]  the request that this answers
 * @property {number} count  of a keep-alive: how many it stands for
 * @property {number} [code]
 * @property {boolean} [cut]
 */
/** @typedef {"all" | "data" | "error" | "sent" | "ka"} Filter */

export const KEPT = 500;

const ANSWERED_BY_ID = /^(?:data|(?:subscribe|unsubscribe|publish)_(?:success|error))$/;

export class FrameLog {
  /** The newest last. @type {Entry[]} */
  entries = [];
  counts = { sent: 0, received: 0, published: 0, snapshots: 0 };

  #number = 0;
  /** Requests by kind and id: what their answers will refer to. @type {Map<string, Entry>} */
  #asked = new Map();
  /** @type {Entry | null} */
  #keepAlive = null;
  /** @type {Entry | null} */
  #opening = null;
  /** @type {((entry: Entry) => void)[]} */
  #listeners = [];

  /** Hears of every entry, and of a keep-alive again each time that it counts one more. @param {(entry: Entry) => void} listener */
  listen(listener) {
    this.#listeners.push(listener);
  }

  /** @param {Happening} happening */
  add({ way, text, size, binary = false, code, cut }) {
    const frame = way === "in" || way === "out" ? parse(text) : undefined;
    const type = typeof frame?.type === "string" ? frame.type : "";
    const now = { time: Date.now(), at: performance.now() };
    this.#count(way, type, frame);
    if (way === "in" && type === "ka" && this.#keepAlive) {
      // One line for all of a connection.
      Object.assign(this.#keepAlive, now).count += 1;
      this.#tell(this.#keepAlive);
      return;
    }
    this.#number += 1;
    /** @type {Entry} */
    const entry = { number: this.#number, way, text, size, binary, ...now, frame, type, count: 1, code, cut };
    if (type === "data" && typeof frame.event === "string") entry.event = parse(frame.event);
    entry.asked = this.#request(entry);
    if (way === "opening") this.#opening = entry;
    if (way === "close") {
      this.#keepAlive = null;
      this.#asked.clear();
    } else if (way === "in" && type === "ka") {
      this.#keepAlive = entry;
    }
    this.entries.push(entry);
    if (this.entries.length > KEPT && this.entries.shift() === this.#keepAlive) this.#keepAlive = null;
    this.#tell(entry);
  }

  clear() {
    this.entries = [];
    this.#keepAlive = null;
  }

  /** @param {Happening["way"]} way @param {string} type @param {any} frame */
  #count(way, type, frame) {
    if (way === "out") this.counts.sent += 1;
    if (way === "in") this.counts.received += 1;
    if (way === "out" && type === "publish" && Array.isArray(frame.events)) this.counts.published += frame.events.length;
    if (way === "in" && type === "data") this.counts.snapshots += 1;
  }

  /** What an entry answers; notes what may be answered itself. @param {Entry} entry @returns {Entry | undefined} */
  #request(entry) {
    const { way, type, frame } = entry;
    if (way === "out" && type === "connection_init") this.#asked.set("connection", entry);
    else if (way === "out" && typeof frame?.id === "string") this.#asked.set(`${type} ${frame.id}`, entry);
    if (way === "open" || way === "close") return this.#opening ?? undefined;
    if (way !== "in") return undefined;
    if (type === "connection_ack" || type === "connection_error") return this.#asked.get("connection");
    if (!ANSWERED_BY_ID.test(type)) return undefined;
    const key = `${type === "data" ? "subscribe" : type.split("_")[0]} ${frame.id}`;
    const asked = this.#asked.get(key);
    if (type.startsWith("publish")) this.#asked.delete(key); // a publish has one answer
    return asked;
  }

  /** @param {Entry} entry */
  #tell(entry) {
    for (const listener of this.#listeners) listener(entry);
  }
}

/** @param {Entry} entry */
export function isError(entry) {
  return /(?:^|_)error$/.test(entry.type) || (entry.way === "close" && entry.code !== 1000) || refusedSome(entry);
}

/** Whether a filter lets an entry through. @param {Entry} entry @param {Filter} filter */
export function passes(entry, filter) {
  if (filter === "data") return entry.type === "data";
  if (filter === "error") return isError(entry);
  if (filter === "sent") return entry.way === "out";
  if (filter === "ka") return entry.type === "ka";
  return true;
}

/** @param {Entry} entry */
function refusedSome(entry) {
  return entry.type === "publish_success" && entry.frame.failed?.length > 0;
}

/**
 * What an entry means, in a sentence.
 * @param {Entry} entry
 * @param {import("./strings-workshop.js").Workshop} say
 * @param {(value: number) => string} number
 */
export function explain(entry, say, number) {
  const { way, type, frame, asked } = entry;
  if (way === "opening") return entry.cut ? say.openingCut : say.opening(entry.text);
  if (way === "open") return say.opened(entry.text, after(entry, number));
  if (way === "close") return say.closed(number(entry.code ?? 0), closeMeaning(entry, say), entry.text);
  if (entry.binary) return say.binary;
  if (frame === undefined) return way === "out" ? say.noJson : say.noJsonReceived;
  const sentence = say.frames[/** @type {keyof typeof say.frames} */ (`${way} ${type}`)];
  if (!sentence) return way === "out" ? say.unknownSent(type) : say.unknownReceived(type);
  return sentence({
    id: String(frame.id ?? ""),
    channel: String(frame.channel ?? asked?.frame.channel ?? ""),
    after: asked ? after(entry, number) : "",
    error: (frame.errors ?? []).map((/** @type {any} */ each) => `${each.errorType}: ${each.message}`).join("; "),
    seconds: number(Math.round((frame.connectionTimeoutMs ?? 0) / 1000)),
    events: Array.isArray(frame.events) ? frame.events.length : 0,
    applied: number(frame.successful?.length ?? 0),
    failed: (frame.failed ?? []).map((/** @type {any} */ each) => `${each.errorType}: ${each.message}`).join("; "),
    count: number(entry.count),
    view: frame.view ? JSON.stringify(frame.view) : "",
    snapshot: entry.event?.type === "snapshot" ? entry.event : undefined,
    number,
  });
}

/** @param {Entry} entry @param {(value: number) => string} number */
function after(entry, number) {
  return entry.asked ? number(Math.round(entry.at - entry.asked.at)) : "";
}

/** @param {Entry} entry @param {import("./strings-workshop.js").Workshop} say */
function closeMeaning(entry, say) {
  if (entry.cut) return say.closeCut;
  return say.closeCodes[/** @type {keyof typeof say.closeCodes} */ (entry.code ?? 0)] ?? say.closeOther;
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
