// The sockets of one `Link`, seen from inside: every frame that passes is told, and the wire can be made a bad one.
//
//   const wire = new Wire((happening) => console.log(happening.way, happening.text));
//   const link = connect({ key: "pk_viewer", environment: { WebSocket: wire.Socket } });
//   wire.delay = 1000;      // each way, from now on
//   wire.cut(10_000);       // the connection is lost, and so is every attempt of the next ten seconds
//
// All of it happens on this side: the server and the connections of others notice nothing but a client far away.

/**
 * @typedef {object} Happening
 * @property {"out" | "in" | "opening" | "open" | "close"} way
 * @property {string} text  the frame; of a close the reason, of an open the sub-protocol that was chosen
 * @property {number} size  bytes of the frame
 * @property {boolean} [binary]
 * @property {number} [code]  of a close
 * @property {boolean} [cut]  a close, or an attempt, that is the wire's own doing
 */

/** @typedef {string | Uint8Array<ArrayBuffer>} Sent  text, or bytes, which no server expects */

/** What a browser reports where no closing handshake was seen. */
const LOST = 1006;

export class Wire {
  /** Milliseconds that every frame takes longer, each way. */
  delay = 0;

  #tell;
  #dead = 0;
  /** @type {Tap | null} */
  #tap = null;

  /** @param {(happening: Happening) => void} tell */
  constructor(tell) {
    this.#tell = tell;
    const wire = this;
    /** What a link takes for a WebSocket. @type {new (url: string, protocols: string[]) => import("./link.js").Socket} */
    this.Socket = class extends Tap {
      /** @param {string} url @param {string[]} protocols */
      constructor(url, protocols) {
        super(url, protocols, () => wire.delay, wire.#dead - performance.now(), (happening) => wire.#tell(happening));
        wire.#tap = this;
      }
    };
  }

  /** Whether a frame could be sent now. */
  get open() {
    return this.#tap?.readyState === WebSocket.OPEN;
  }

  /** Sends what it is given, right or wrong. @param {Sent} frame */
  send(frame) {
    this.#tap?.send(frame);
  }

  /** Loses the connection, and all attempts of the next `ms`. @param {number} [ms] */
  cut(ms = 0) {
    this.#dead = performance.now() + ms;
    this.#tap?.lose();
  }
}

/** As much of a WebSocket as `Link` uses, around a real one. */
class Tap {
  /** @type {((event: Event) => void) | null} */
  onopen = null;
  /** @type {((event: {data: string}) => void) | null} */
  onmessage = null;
  /** @type {((event: {code: number, reason: string}) => void) | null} */
  onclose = null;

  #tell;
  #delay;
  /** @type {WebSocket | null} */
  #socket = null;
  #inward = new Lane((/** @type {string} */ text) => this.#receive(text));
  #outward = new Lane((/** @type {Sent} */ frame) => this.#socket?.readyState === WebSocket.OPEN && this.#socket.send(frame));
  #over = false;

  /**
   * @param {string} url
   * @param {string[]} protocols
   * @param {() => number} delay
   * @param {number} dead  milliseconds for which no connection can be made
   * @param {(happening: Happening) => void} tell
   */
  constructor(url, protocols, delay, dead, tell) {
    this.#tell = tell;
    this.#delay = delay;
    tell({ way: "opening", text: url, size: 0, cut: dead > 0 });
    if (dead > 0) {
      setTimeout(() => this.lose());
      return;
    }
    this.#socket = new WebSocket(url, protocols);
    this.#socket.onopen = (event) => {
      tell({ way: "open", text: this.#socket?.protocol ?? "", size: 0 });
      this.onopen?.(event);
    };
    this.#socket.onmessage = (event) => this.#inward.push(event.data, this.#delay());
    this.#socket.onclose = (event) => this.#end(event.code, event.reason);
  }

  get readyState() {
    return this.#over ? WebSocket.CLOSED : (this.#socket?.readyState ?? WebSocket.CONNECTING);
  }

  /** @param {Sent} frame */
  send(frame) {
    if (this.readyState !== WebSocket.OPEN) return;
    const binary = typeof frame !== "string";
    const size = binary ? frame.byteLength : bytes(frame);
    this.#tell({ way: "out", text: binary ? "" : frame, size, binary });
    this.#outward.push(frame, this.#delay());
  }

  /** The client's own end. */
  close() {
    if (!this.#over && !this.#socket) this.#end(LOST, "", true);
    this.#socket?.close();
  }

  /** The end that no one wanted. */
  lose() {
    this.#socket?.close();
    this.#end(LOST, "", true);
  }

  /** @param {string} text */
  #receive(text) {
    if (this.#over) return;
    this.#tell({ way: "in", text, size: bytes(text) });
    this.onmessage?.({ data: text });
  }

  /** @param {number} code @param {string} reason @param {boolean} [cut] */
  #end(code, reason, cut = false) {
    if (this.#over) return;
    this.#over = true;
    this.#inward.clear();
    this.#outward.clear();
    this.#tell({ way: "close", text: reason, size: 0, code, cut });
    this.onclose?.({ code, reason });
  }
}

/** A queue in which everything waits its time and nothing overtakes. @template T */
class Lane {
  #deliver;
  /** @type {{item: T, due: number}[]} */
  #waiting = [];
  /** @type {import("./link.js").Timer} */
  #timer;

  /** @param {(item: T) => void} deliver */
  constructor(deliver) {
    this.#deliver = deliver;
  }

  /** @param {T} item @param {number} delay */
  push(item, delay) {
    if (!delay && !this.#waiting.length) {
      this.#deliver(item);
      return;
    }
    const last = this.#waiting.at(-1)?.due ?? 0;
    this.#waiting.push({ item, due: Math.max(last, performance.now() + delay) });
    if (this.#waiting.length === 1) this.#wait();
  }

  clear() {
    clearTimeout(this.#timer);
    this.#waiting.length = 0;
  }

  #wait() {
    const [first] = this.#waiting;
    if (!first) return;
    this.#timer = setTimeout(() => {
      this.#waiting.shift();
      this.#deliver(first.item);
      this.#wait();
    }, first.due - performance.now());
  }
}

const encoder = new TextEncoder();

/** Length as it travels. @param {string} text */
function bytes(text) {
  return encoder.encode(text).byteLength;
}
