// One connection of a page to a leaderboard server: AppSync Events over a WebSocket.
//
//   const link = connect({ url: "http://127.0.0.1:8000", key: "pk_viewer" });
//   const sub = link.subscribe("/leaderboard/arcade", { top: 10 }, (snapshot) => console.log(snapshot.rows));
//   await link.publish("/leaderboard/arcade", [{ player: "ann", score: 120 }]);
//
// A link is made once and lives as long as the page: it comes back by itself, subscribes again, and sends again what was
// not answered where that cannot count twice. Snapshots are whole, so the first one after a break is all that was missed.
// Time, chance and the WebSocket come in as an `Environment`, so that tests need neither a server nor patience.
// It is long because it is one file on purpose: whoever takes it along has the whole client, and nothing to bundle.

/**
 * @typedef {object} Row
 * @property {number} rank  equal scores may share one
 * @property {number} position  1, 2, 3 … without gaps or shares
 * @property {string} player
 * @property {string} [name]
 * @property {number} score
 * @property {Record<string, unknown>} [meta]
 * @property {number} [percentile]  share (0 to 1) of entries that are strictly worse; in rows of `around` and `of`
 */
/**
 * @typedef {object} Round
 * @property {number} number
 * @property {"closed" | "soon" | "open"} state
 * @property {boolean} frozen
 * @property {Record<string, unknown>} [props]
 * @property {number} [hidden]  places at the top that are not shown yet, while a frozen board is revealed
 */
/**
 * @typedef {object} Snapshot  a board through one view at one version
 * @property {"snapshot"} type
 * @property {string} channel
 * @property {string} epoch  the life of the board; "" while there is none
 * @property {number} version
 * @property {Round} round
 * @property {number} total
 * @property {Row[]} [rows]
 * @property {Row[]} [around]
 * @property {Row[]} [of]
 * @property {number} [time]
 * @property {number} [starts_in_ms]
 * @property {number} [ends_in_ms]
 * @property {number} [watching]
 * @property {number} [playing]
 * @property {boolean} [stale]
 * @property {boolean} [reset]  a new life of the board: what was seen before says nothing about it
 * @property {number} [skipped]
 */
/**
 * @typedef {object} View  what to see of a board; nothing asked is the default of its namespace
 * @property {number} [top]
 * @property {string} [around]
 * @property {number} [radius]
 * @property {string[]} [of]
 * @property {1 | 2 | 5 | 10} [every]
 * @property {boolean} [live]
 * @property {string} [since]  "epoch.version" of a snapshot that is already known
 */
/**
 * @typedef {object} Published
 * @property {{identifier: string, index: number, duplicate?: boolean}[]} successful
 * @property {{identifier: string, index: number, code: number, errorType: string, message: string}[]} failed
 * @property {({player: string, score: number | null, rank: number | null, version: number} | null)[]} [results]
 */
/** @typedef {"connecting" | "live" | "reconnecting" | "offline" | "refused" | "closed"} State */
/**
 * What the target of a link hears: the `detail` of each `CustomEvent` by its type. `lb:round` says that it is another
 * round or has other props, `lb:roster` that players have come or gone.
 * @typedef {{
 *   "lb:state": {state: State, lastKnown: number | null},
 *   "lb:update": {channel: string, snapshot: Snapshot},
 *   "lb:round": {channel: string, snapshot: Snapshot, round: Round},
 *   "lb:roster": {channel: string, snapshot: Snapshot},
 * }} LinkEvents
 */
/** @typedef {ReturnType<typeof globalThis.setTimeout> | undefined} Timer  whatever the environment has for one */
/**
 * @typedef {object} Socket  as much of a WebSocket as a link uses
 * @property {((event: any) => void) | null} onopen
 * @property {((event: any) => void) | null} onmessage
 * @property {((event: any) => void) | null} onclose
 * @property {(text: string) => void} send
 * @property {() => void} close
 */
/**
 * @typedef {object} Environment  what a link needs of the world around it; tests bring their own
 * @property {new (url: string, protocols: string[]) => Socket} WebSocket
 * @property {() => number} now  milliseconds
 * @property {(run: () => void, ms: number) => Timer} setTimeout
 * @property {(timer: Timer) => void} clearTimeout
 * @property {() => number} random  from 0 to below 1
 * @property {EventTarget} window  hears `online` and `offline`
 * @property {EventTarget & {hidden?: boolean}} document  hears `visibilitychange`
 */
/**
 * @typedef {object} Options
 * @property {string | URL} [url]  address of the server; default: where this module came from
 * @property {string} [key]  API key
 * @property {string} [token]  signed token, instead of a key
 * @property {EventTarget} [target]  gets the events lb:state, lb:update, lb:round and lb:roster; default: the body of the page
 * @property {Partial<Environment>} [environment]
 */

const PROTOCOL = "aws-appsync-event-ws";

/** A blip shorter than this is not worth a word on the screen. */
const GRACE_MS = 1000;
/** So long without a link, and "reconnecting" becomes "offline"; so long a silence, and who looks again gets another link. */
const OFFLINE_MS = 10_000;
/** From opening a socket to `connection_ack`. */
const HANDSHAKE_MS = 15_000;
/** A publish that could not be sent or was not answered for so long has failed. */
const PUBLISH_MS = 30_000;
/** Silence beyond the promised keep-alive by this factor means that the link is dead. */
const PATIENCE = 1.2;
/** What AppSync promises, and a server that says nothing. */
const KEEP_ALIVE_MS = 300_000;
const BACKOFF = { floor: 250, first: 500, most: 30_000 };

/** The server has closed the connection on purpose: it would do so again. */
const POLICY = 1008;
/** The server restarts, and tells each client in the reason when to come back. */
const RESTART = 1012;
/** For no longer than this may a server ask a client to stay away. */
const LONGEST_MS = 60_000;
/** What no later attempt would change, for a connection or a subscription. */
const FINAL = new Set([
  "UnauthorizedException",
  "Unauthorized",
  "BadRequestException",
  "ResourceNotFound",
  "MaxSubscriptionsReachedError",
  "DuplicatedOperationError",
]);

/**
 * An error that the server gave: `name` is the protocol's errorType. Or one that the link itself found: `NotSent` (nothing
 * was applied), `OutcomeUnknown` (it may have counted, or not), `Closed` by this page, `ConnectionClosed` by the server for
 * good.
 */
export class LinkError extends Error {
  /** @param {string} name @param {string} [message] @param {number} [retryAfterMs]  after which the same may be asked again */
  constructor(name, message, retryAfterMs = 0) {
    super(message || name);
    this.name = name;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Opens a link. @param {Options} [options] */
export function connect(options) {
  return new Link(options);
}

/** What a page holds on to while it wants the events of one channel. Made by `Link.subscribe`. */
export class Subscription {
  /**
   * @param {Link} link
   * @param {string} id
   * @param {string} channel
   * @param {View | "events" | undefined} view
   * @param {(event: any) => void} onEvent
   * @param {(error: LinkError, again: boolean) => void} onError
   */
  constructor(link, id, channel, view, onEvent, onError) {
    this.link = link;
    this.id = id;
    this.channel = channel;
    this.onEvent = onEvent;
    this.onError = onError;
    this.attempt = 0;
    /** @type {Timer} */
    this.timer = undefined;
    this.#view = view;
  }

  #view;
  /** @type {Map<string, {epoch: string, version: number}>} by channel: a wildcard has several */
  #seen = new Map();
  /** @type {Map<string, [string, number]>} the round and how many play, by channel */
  #rounds = new Map();

  /** What to ask for now: where a snapshot is known, the server is told, and so knows whether to say `reset`. */
  get view() {
    const last = this.channel.endsWith("*") ? undefined : this.#seen.values().next().value;
    return typeof this.#view === "string" || !last
      ? this.#view
      : { ...this.#view, since: `${last.epoch}.${last.version}` };
  }

  /**
   * Whether a snapshot is not older than the last one, whether it tells of another round or of other props, and whether
   * players have come or gone.
   * @param {Snapshot} snapshot
   * @returns {{fresh?: boolean, turned?: boolean, roster?: boolean}}
   */
  take(snapshot) {
    const { channel, epoch, version } = snapshot;
    const last = this.#seen.get(channel);
    if (last?.epoch === epoch && version < last.version) return {};
    // The server forgets a wildcard's boards with the connection.
    if (last && last.epoch !== epoch) snapshot.reset = true;
    // An absent board has no life of its own: the last real one is what to compare the next with.
    if (epoch) this.#seen.set(channel, { epoch, version });
    const round = JSON.stringify([epoch, snapshot.round]);
    const [before, total] = this.#rounds.get(channel) ?? [];
    this.#rounds.set(channel, [round, snapshot.total]);
    return { fresh: true, turned: round !== before, roster: snapshot.total !== total };
  }

  close() {
    this.link.unsubscribe(this);
  }
}

export class Link {
  /** @type {State} */
  state = "connecting";
  /** When something was last heard from the server, in milliseconds since the epoch. @type {number | null} */
  lastKnown = null;

  /** @type {Environment} */
  #env;
  #url;
  /** @type {Record<string, string>} */
  #authorization;
  #target;
  #local;
  /** @type {Socket | null} */
  #socket = null;
  #acknowledged = false;
  #attempt = 0;
  #count = 0;
  #heard = 0;
  #patience = HANDSHAKE_MS;
  /** @type {Record<"retry" | "watchdog" | "grace" | "offline", Timer>} */
  #timers = { retry: undefined, watchdog: undefined, grace: undefined, offline: undefined };
  /** @type {Map<string, Subscription>} */
  #subscriptions = new Map();
  /** @type {Map<string, Pending>} in the order in which they were asked for */
  #pending = new Map();
  #ears = new AbortController();
  /** Why nothing more goes over this link. @type {LinkError | undefined} */
  #ended;

  /** @param {Options} [options] */
  constructor({ url = import.meta.url, key, token, target = globalThis.document?.body, environment } = {}) {
    this.#env = { ...browser(), ...environment };
    this.#target = target;
    const address = new URL("/event/realtime", url);
    address.protocol = address.protocol.replace("http", "ws");
    this.#url = address.href;
    this.#local = /^(localhost|127\.[\d.]+|\[::1\])$/.test(address.hostname);
    this.#authorization = { host: address.host };
    if (token) this.#authorization.Authorization = token;
    else if (key) this.#authorization["x-api-key"] = key;

    const { window, document } = this.#env;
    const signal = this.#ears.signal;
    window.addEventListener("online", () => this.#hurry(), { signal });
    window.addEventListener("offline", () => this.#unplugged(), { signal });
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry(), { signal });
    this.#expectTrouble();
    this.#open();
  }

  /**
   * Events of a channel, or of all below a path (`/leaderboard/*`), until the subscription is closed.
   *
   * A board channel delivers snapshots, never one older than the last; a relay channel delivers what was published.
   * `onError` hears why the server refuses, and whether the link asks again by itself, since it may pass.
   *
   * @overload
   * @param {string} channel
   * @param {(event: any) => void} onEvent
   * @param {(error: LinkError, again: boolean) => void} [onError]
   * @returns {Subscription}
   */
  /**
   * @overload
   * @param {string} channel
   * @param {View} view
   * @param {(snapshot: Snapshot) => void} onEvent
   * @param {(error: LinkError, again: boolean) => void} [onError]
   * @returns {Subscription}
   */
  /**
   * @overload
   * @param {string} channel
   * @param {View | "events" | undefined} view
   * @param {(event: any) => void} onEvent
   * @param {(error: LinkError, again: boolean) => void} [onError]
   * @returns {Subscription}
   */
  /** @param {string} channel @param {...any} rest */
  subscribe(channel, ...rest) {
    const view = typeof rest[0] === "function" ? undefined : rest.shift();
    const [onEvent, onError = (/** @type {LinkError} */ error) => console.warn(`${channel}: ${error.message}`)] = rest;
    const subscription = new Subscription(this, this.#id(), channel, view, onEvent, onError);
    if (this.#ended) {
      onError(this.#ended, false);
    } else {
      this.#subscriptions.set(subscription.id, subscription);
      this.#request(subscription);
    }
    return subscription;
  }

  /** @param {Subscription} subscription */
  unsubscribe(subscription) {
    if (!this.#subscriptions.delete(subscription.id)) return;
    this.#env.clearTimeout(subscription.timer);
    if (this.#acknowledged) this.#send({ type: "unsubscribe", id: subscription.id });
  }

  /**
   * Publishes 1 to 5 events, applied in order with nothing in between; resolves with the server's answer, in which
   * single events may have `failed`. Rejects with a `LinkError` when all did, or no answer came.
   *
   * Without a link it waits for one. What was sent and not answered when the link broke is sent once more if each event
   * carries `n` (the server then knows a repeat); otherwise it rejects with "OutcomeUnknown", since it may have counted.
   *
   * @param {string} channel
   * @param {unknown | unknown[]} events
   * @param {{results?: boolean}} [options]  `results`: score and rank of each player in the answer
   * @returns {Promise<Published>}
   */
  publish(channel, events, { results = false } = {}) {
    const list = /** @type {any[]} */ ([events].flat());
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const id = this.#id();
      /** @type {Pending} */
      const pending = {
        message: { type: "publish", id, channel, events: list.map((event) => JSON.stringify(event)), results },
        repeatable: list.every((event) => Number.isInteger(event?.n)),
        sent: 0,
        resolve,
        reject,
        timer: this.#env.setTimeout(
          () => this.#settle(id)?.reject(new LinkError(pending.sent ? "OutcomeUnknown" : "NotSent", "No answer came.")),
          PUBLISH_MS,
        ),
      };
      this.#pending.set(id, pending);
      if (this.#acknowledged) this.#deliver(pending);
    });
  }

  /** Ends the link for good. */
  close() {
    this.#end("closed", new LinkError("Closed"));
  }

  // -- the socket ------------------------------------------------------------------------------------------------------

  #open() {
    this.#env.clearTimeout(this.#timers.retry);
    const socket = new this.#env.WebSocket(this.#url, protocols(this.#authorization));
    this.#socket = socket;
    this.#heard = this.#env.now();
    this.#patience = HANDSHAKE_MS;
    this.#watch();
    socket.onopen = () => socket.send('{"type":"connection_init"}');
    socket.onmessage = (/** @type {{data: unknown}} */ event) => this.#receive(event.data);
    socket.onclose = (/** @type {{code: number, reason: string}} */ { code, reason }) => {
      if (code === POLICY) this.#end("refused", new LinkError("ConnectionClosed", reason));
      else this.#lost(code === RESTART ? 1000 * Number(/come back in (\d+(\.\d+)?) s$/.exec(reason)?.[1] ?? 0) : 0);
    };
  }

  /** Lets go of the socket without waiting for its closing handshake, which a dead network never finishes. */
  #drop() {
    const socket = this.#socket;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    this.#socket = null;
    this.#acknowledged = false;
    this.#env.clearTimeout(this.#timers.watchdog);
  }

  /** @param {number} [later]  milliseconds that the server wants to have first */
  #lost(later) {
    this.#drop();
    this.#expectTrouble();
    for (const [id, { sent, repeatable }] of this.#pending) {
      if (sent > (repeatable ? 1 : 0)) this.#settle(id)?.reject(new LinkError("OutcomeUnknown", "No answer came."));
    }
    for (const subscription of this.#subscriptions.values()) this.#env.clearTimeout(subscription.timer);
    this.#env.clearTimeout(this.#timers.retry);
    this.#timers.retry = this.#env.setTimeout(() => this.#open(), this.#pause(this.#attempt++, later));
  }

  /**
   * Full jitter: a room of clients that lost the same server must not come back in step.
   * @param {number} attempt
   * @param {number} [later]  milliseconds that the server wants to have first
   */
  #pause(attempt, later = 0) {
    const jitter = this.#env.random() * Math.min(BACKOFF.most, BACKOFF.first * 2 ** attempt);
    return Math.min(later, LONGEST_MS) + BACKOFF.floor + jitter;
  }

  /** Something suggests that it would work now: the network is back, or someone looks. */
  #hurry() {
    // An attempt from before may hang in a network that is gone, and a connection may have died without a word while the
    // device slept. Its timers slept too, and on some the clock of the page with them; that of the device did not.
    if (this.#acknowledged && Date.now() - /** @type {number} */ (this.lastKnown) < OFFLINE_MS) return;
    this.#lost();
    this.#open();
  }

  /** The device says that it has no network. A server on the device itself needs none. */
  #unplugged() {
    if (!this.#local && this.#socket) this.#lost();
  }

  /** Closes a link that has been silent for longer than the server promised. One timer, however many frames come. */
  #watch() {
    const left = this.#heard + this.#patience - this.#env.now();
    this.#env.clearTimeout(this.#timers.watchdog);
    this.#timers.watchdog = this.#env.setTimeout(() => {
      if (this.#env.now() - this.#heard >= this.#patience) this.#lost();
      else this.#watch();
    }, left);
  }

  // -- frames ----------------------------------------------------------------------------------------------------------

  /** @param {unknown} text */
  #receive(text) {
    this.#heard = this.#env.now();
    this.lastKnown = Date.now();
    const frame = /** @type {Frame | undefined} */ (parse(text));
    switch (frame?.type) {
      case "connection_ack":
        this.#patience = PATIENCE * (frame.connectionTimeoutMs ?? KEEP_ALIVE_MS);
        this.#watch();
        this.#attempt = 0;
        this.#acknowledged = true;
        for (const subscription of this.#subscriptions.values()) this.#request(subscription);
        for (const pending of this.#pending.values()) this.#deliver(pending);
        this.#become("live"); // at last, since a page that is told may ask for more at once
        break;
      case "connection_error": {
        const error = refusal(frame);
        if (FINAL.has(error.name)) this.#end("refused", error);
        else this.#lost(error.retryAfterMs);
        break;
      }
      case "data":
        this.#data(this.#subscriptions.get(frame.id), parse(frame.event));
        break;
      case "subscribe_success": {
        const subscription = this.#subscriptions.get(frame.id);
        if (subscription) subscription.attempt = 0;
        break;
      }
      case "subscribe_error":
        this.#denied(this.#subscriptions.get(frame.id), refusal(frame));
        break;
      case "publish_success":
        this.#settle(frame.id)?.resolve({
          successful: frame.successful ?? [],
          failed: frame.failed ?? [],
          ...(frame.results && { results: frame.results }),
        });
        break;
      case "publish_error":
      case "error":
        this.#settle(frame.id)?.reject(refusal(frame));
        break;
    }
  }

  /** @param {Subscription | undefined} subscription @param {any} event */
  #data(subscription, event) {
    if (!subscription || event === undefined) return;
    const snapshot = event?.type === "snapshot" ? /** @type {Snapshot} */ (event) : null;
    const { fresh, turned, roster } = snapshot ? subscription.take(snapshot) : { fresh: true };
    if (!fresh) return;
    try {
      subscription.onEvent(event);
    } catch (error) {
      reportError(error); // the page's own mistake must not cost it the link
    }
    if (!snapshot) return;
    const detail = { channel: snapshot.channel, snapshot };
    this.#tell("lb:update", detail);
    if (turned) this.#tell("lb:round", { ...detail, round: snapshot.round });
    if (roster) this.#tell("lb:roster", detail);
  }

  /** @param {Subscription | undefined} subscription @param {LinkError} error */
  #denied(subscription, error) {
    if (!subscription) return;
    const again = !FINAL.has(error.name);
    if (again) {
      const pause = this.#pause(subscription.attempt++, error.retryAfterMs);
      subscription.timer = this.#env.setTimeout(() => this.#request(subscription), pause);
    } else {
      this.#subscriptions.delete(subscription.id);
    }
    subscription.onError(error, again);
  }

  /** @param {Subscription} subscription */
  #request(subscription) {
    const { id, channel, view } = subscription;
    if (this.#acknowledged) this.#send({ type: "subscribe", id, channel, authorization: this.#authorization, view });
  }

  /** @param {Pending} pending */
  #deliver(pending) {
    pending.sent += 1;
    this.#send({ ...pending.message, authorization: this.#authorization });
  }

  /** @param {object} message */
  #send(message) {
    this.#socket?.send(JSON.stringify(message));
  }

  /** Takes a publish off the list. @param {string} id */
  #settle(id) {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    this.#env.clearTimeout(pending?.timer);
    return pending;
  }

  #id() {
    this.#count += 1;
    return String(this.#count);
  }

  // -- what the page is told -------------------------------------------------------------------------------------------

  /** Starts the clocks after which the loss of the link is shown. */
  #expectTrouble() {
    const { setTimeout } = this.#env;
    const timers = this.#timers;
    if (this.state === "live") timers.grace ??= setTimeout(() => this.#become("reconnecting"), GRACE_MS);
    timers.offline ??= setTimeout(() => this.#become("offline"), OFFLINE_MS);
  }

  /** @param {State} state */
  #become(state) {
    if (state !== "reconnecting") {
      this.#env.clearTimeout(this.#timers.grace);
      this.#env.clearTimeout(this.#timers.offline);
      this.#timers.grace = this.#timers.offline = undefined;
    }
    if (this.state === state) return;
    this.state = state;
    this.#tell("lb:state", { state, lastKnown: this.lastKnown });
  }

  /** @param {"refused" | "closed"} state @param {LinkError} error */
  #end(state, error) {
    if (this.#ended) return;
    this.#ended = error;
    this.#drop();
    this.#ears.abort();
    for (const timer of Object.values(this.#timers)) this.#env.clearTimeout(timer);
    for (const id of [...this.#pending.keys()]) this.#settle(id)?.reject(error);
    const subscriptions = [...this.#subscriptions.values()];
    this.#subscriptions.clear();
    this.#become(state);
    for (const subscription of subscriptions) {
      this.#env.clearTimeout(subscription.timer);
      if (state === "refused") subscription.onError(error, false);
    }
  }

  /** @template {keyof LinkEvents} T @param {T} type @param {LinkEvents[T]} detail */
  #tell(type, detail) {
    this.#target?.dispatchEvent(new CustomEvent(type, { bubbles: true, detail }));
  }
}

/**
 * @typedef {object} Pending  a publish that was not answered yet
 * @property {object} message
 * @property {boolean} repeatable
 * @property {number} sent  how often
 * @property {(answer: Published) => void} resolve
 * @property {(error: LinkError) => void} reject
 * @property {Timer} timer
 */

/** @typedef {{errorType?: string, message?: string, retryAfterMs?: number}} Told  one error, as a frame tells it */
/**
 * @typedef {{type: "connection_ack", connectionTimeoutMs?: number}
 *   | {type: "connection_error", errors?: Told[]}
 *   | {type: "data", id: string, event: string}
 *   | {type: "subscribe_success", id: string}
 *   | {type: "subscribe_error", id: string, errors?: Told[]}
 *   | ({type: "publish_success", id: string} & Partial<Published>)
 *   | {type: "publish_error" | "error", id: string, errors?: Told[]}} Frame  what a server says, as far as a link listens
 */

/** @returns {Environment} */
function browser() {
  return {
    WebSocket,
    now: () => performance.now(),
    setTimeout: (run, ms) => setTimeout(run, ms),
    clearTimeout: (timer) => clearTimeout(timer),
    // A page on a plain http:// address of the LAN is no secure context: there is no randomUUID, but there is this.
    random: () => crypto.getRandomValues(new Uint32Array(1))[0] / 2 ** 32,
    window,
    document,
  };
}

/** The first error of an error frame. @param {{errors?: Told[]}} frame */
function refusal(frame) {
  const { errorType = "Error", message, retryAfterMs } = frame.errors?.[0] ?? {};
  return new LinkError(errorType, message, retryAfterMs);
}

/** @param {unknown} text @returns {any} undefined for what is no JSON */
function parse(text) {
  try {
    return JSON.parse(/** @type {string} */ (text));
  } catch {
    return undefined;
  }
}

/** The sub-protocols that a client offers: a browser has no other way to send a credential. @param {object} authorization */
export function protocols(authorization) {
  return [PROTOCOL, `header-${base64url(JSON.stringify(authorization))}`];
}

/** Without padding, over UTF-8: what a WebSocket sub-protocol may carry. @param {string} text */
function base64url(text) {
  const bytes = String.fromCharCode(...new TextEncoder().encode(text));
  return btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
