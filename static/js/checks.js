// The checks of /check: each finds one thing out about the way from this browser to the server, and says so in a sentence;
// what failed says what to do, too.

import { protocols } from "./link.js";

/** @typedef {import("./strings-workshop.js").Workshop} Workshop */
/** @typedef {"waiting" | "running" | "passed" | "warned" | "failed" | "skipped"} Verdict */
/** @typedef {{verdict: Verdict, found: string, advice?: string}} Finding */
/**
 * @typedef {object} Setting
 * @property {string} origin  of the page
 * @property {string} key  the viewer key; "" while public viewing is off
 * @property {string} others  the address that the server takes for the one that others can open; "" for none
 * @property {Workshop["check"]} say
 * @property {(value: number) => string} number
 */

const ANSWER_MS = 10_000;
const ECHOES = 10;
/** Beyond these a game feels late: to most people, and to everybody. */
const SLOW_MS = { median: 150, worst: 600 };
const QUIET_SECONDS = 60;

/** The server's answer over HTTP. @param {Setting} setting @returns {Promise<Finding>} */
export async function checkPage({ origin, say, number }) {
  const start = performance.now();
  try {
    const answer = await fetch(`${origin}/healthz`, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
    if (!answer.ok) return { verdict: "failed", found: say.pageStatus(number(answer.status)), advice: say.pageAdvice };
    return { verdict: "passed", found: say.pageFound(number(Math.round(performance.now() - start))) };
  } catch {
    return { verdict: "failed", found: say.pageLost, advice: say.pageAdvice };
  }
}

/** A WebSocket to the server, seen as a test sees it. */
export class Probe {
  /** Why the server does not talk to us, if it said so. @type {{errorType: string, message: string} | null} */
  refusal = null;
  /** @type {{code: number, after: number} | null} */
  closed = null;
  opened = false;

  #socket;
  #since = performance.now();
  /** @type {((ended: boolean) => void) | null} */
  #awaited = null;
  /** @type {() => void} */
  #onClose = () => {};

  /** @param {string} origin @param {string} key */
  constructor(origin, key) {
    const { host } = new URL(origin);
    const authorization = key ? { host, "x-api-key": key } : { host };
    this.#socket = new WebSocket(`${origin.replace(/^http/, "ws")}/event/realtime`, protocols(authorization));
    this.#socket.onopen = () => {
      this.opened = true;
      this.#socket.send(INIT);
    };
    this.#socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      if (frame.type === "connection_error") this.refusal = frame.errors?.[0] ?? null;
      if (frame.type === "connection_ack" || frame.type === "connection_error") this.#awaited?.(true);
    };
    this.#socket.onclose = ({ code }) => {
      this.closed = { code, after: performance.now() - this.#since };
      this.#awaited?.(false);
      this.#onClose();
    };
  }

  /** Whether an answer comes in time. The first `connection_init` goes out by itself. */
  answer() {
    const { promise, resolve } = deferred();
    const timer = setTimeout(() => resolve(false), ANSWER_MS);
    this.#awaited = (came) => {
      clearTimeout(timer);
      this.#awaited = null;
      resolve(came);
    };
    if (this.closed) this.#awaited(false);
    return promise;
  }

  /** The milliseconds that a frame and its answer take; null if none comes. */
  async echo() {
    const start = performance.now();
    const answer = this.answer();
    if (!this.closed) this.#socket.send(INIT);
    return (await answer) ? performance.now() - start : null;
  }

  /** Says nothing for so long, unless the socket closes before. @param {number} seconds @param {(second: number) => void} tick */
  quiet(seconds, tick) {
    const { promise, resolve } = deferred();
    const start = performance.now();
    tick(0);
    const timer = setInterval(() => {
      const second = Math.floor((performance.now() - start) / 1000);
      if (second < seconds) tick(second);
      else end(true);
    }, 250);
    /** @param {boolean} stayed */
    const end = (stayed) => {
      clearInterval(timer);
      resolve(stayed);
    };
    this.#onClose = () => end(false);
    if (this.closed) end(false);
    return promise;
  }

  end() {
    this.#onClose = () => {};
    this.#socket.close();
  }
}

const INIT = '{"type":"connection_init"}';

/** Whether the upgrade works and frames pass. @param {Probe} probe @param {Setting} setting @returns {Promise<Finding>} */
export async function checkSocket(probe, { say, number }) {
  const start = performance.now();
  const came = await probe.answer();
  const ms = number(Math.round(performance.now() - start));
  if (came && !probe.refusal) return { verdict: "passed", found: say.socketFound(ms) };
  if (came && probe.refusal?.errorType === "UnauthorizedException") return { verdict: "passed", found: say.socketPrivate(ms) };
  if (came) return { verdict: "failed", found: say.socketRefused(probe.refusal?.message ?? ""), advice: say.socketRefusedAdvice };
  if (probe.opened) return { verdict: "failed", found: say.socketMute, advice: say.socketAdvice };
  return { verdict: "failed", found: say.socketLost, advice: say.socketAdvice };
}

/** How far away the server is. @param {Probe} probe @param {Setting} setting @returns {Promise<Finding>} */
export async function checkEcho(probe, { say, number }) {
  const times = [];
  for (let count = 0; count < ECHOES; count += 1) {
    const time = await probe.echo();
    if (time === null) return { verdict: "failed", found: say.echoLost(number(count)), advice: say.minuteAdvice };
    times.push(time);
  }
  times.sort((a, b) => a - b);
  const [median, worst] = [times[ECHOES / 2], times[ECHOES - 1]];
  const found = say.echoFound(number(Math.round(median * 10) / 10), number(Math.round(worst * 10) / 10));
  if (median <= SLOW_MS.median && worst <= SLOW_MS.worst) return { verdict: "passed", found };
  return { verdict: "warned", found, advice: say.echoAdvice };
}

/**
 * Whether something on the way ends quiet connections.
 * @param {Probe} probe
 * @param {Setting} setting
 * @param {(found: string) => void} tell
 * @returns {Promise<Finding>}
 */
export async function checkMinute(probe, { say, number }, tell) {
  const all = number(QUIET_SECONDS);
  const stayed = await probe.quiet(QUIET_SECONDS, (second) => tell(say.minuteSoFar(number(second), all)));
  const seconds = number(Math.round((probe.closed?.after ?? 0) / 1000));
  if (!stayed) {
    const found = say.minuteClosed(seconds, number(probe.closed?.code ?? 0));
    return { verdict: "failed", found, advice: probe.closed?.code === 1012 ? say.minuteRestart : say.minuteAdvice };
  }
  if ((await probe.echo()) === null) return { verdict: "failed", found: say.minuteDead(all), advice: say.minuteAdvice };
  return { verdict: "passed", found: say.minuteFound(all) };
}

/** Whether the address that others get leads here. @param {Setting} setting @returns {Promise<Finding>} */
export async function checkOthers({ origin, others, say }) {
  if (!others) return { verdict: "warned", found: say.othersNone, advice: say.othersNoneAdvice };
  const address = new URL(others).origin;
  if (address === origin) return { verdict: "passed", found: say.othersThis(address) };
  if (origin.startsWith("https:") && address.startsWith("http:")) {
    return { verdict: "skipped", found: say.othersMixed(address), advice: say.othersOpen(address) };
  }
  try {
    // What other origins may read of this server.
    const file = `${address}/static/favicon.svg`;
    const answer = await fetch(file, { cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(ANSWER_MS) });
    if (!answer.ok) throw new Error(String(answer.status));
    return { verdict: "passed", found: say.othersFound(address), advice: say.othersOpen(address) };
  } catch {
    return { verdict: "failed", found: say.othersLost(address), advice: say.othersAdvice };
  }
}

/** @returns {{promise: Promise<boolean>, resolve: (value: boolean) => void}} */
function deferred() {
  /** @type {(value: boolean) => void} */
  let resolve = () => {};
  /** @type {Promise<boolean>} */
  const promise = new Promise((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
