// A link that carries a role has its token behind the #, which browsers send to nobody. It is taken out of the address
// bar at once, and kept for as long as the tab is open, so that a page that is loaded again still has it.

import { Words } from "./strings.js";

/** @typedef {{jti: string, role: string, channel: string, sub?: string, exp: number, rate?: number}} Claims  of `tokens` */
/** @typedef {{token: string, claims: Claims}} Pass */

const PREFIX = "pass:";
/** Where nothing can be kept, the page has it until it is left. @type {Map<string, string>} */
const here = new Map();

/**
 * Takes the token that the address brings, and keeps it; null where it brings none. A damaged one has no claims.
 * @returns {{token: string, claims: Claims | null} | null}
 */
export function take() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token === null) return null;
  history.replaceState(history.state, "", location.pathname + location.search);
  const claims = claimsOf(token);
  if (claims) keep(claims.channel, token);
  return { token, claims };
}

// Another link that is followed in this tab is another visit, though the page is the same.
addEventListener("hashchange", () => take() && location.reload());

/** What is kept that is good for a channel, the narrowest of several. @param {string} channel @returns {Pass | null} */
export function passFor(channel) {
  return first(kept().filter((pattern) => covers(pattern, channel)).sort((one, other) => other.length - one.length));
}

/** What is kept that is good for more than one channel, the widest of several. @returns {Pass | null} */
export function passForMany() {
  return first(kept().filter((pattern) => pattern.endsWith("/*")).sort((one, other) => one.length - other.length));
}

/** @param {string[]} patterns @returns {Pass | null} */
function first(patterns) {
  for (const pattern of patterns) {
    const token = read(pattern);
    const claims = claimsOf(token);
    if (claims) return { token, claims };
  }
  return null;
}

/** Lets go of one that is not taken any more. @param {Pass} pass */
export function drop({ claims }) {
  here.delete(claims.channel);
  try {
    sessionStorage.removeItem(PREFIX + claims.channel);
  } catch {
    // it was not kept there
  }
}

/** Why a server does not take a token, as far as the token itself tells. @param {string} token */
export function reason(token) {
  const words = new Words();
  const claims = claimsOf(token);
  if (!claims) return words.say.passBroken;
  return claims.exp * 1000 <= Date.now() ? words.say.passEnded(words.moment(claims.exp * 1000)) : words.say.passRefused;
}

/** What a token says. Nobody has checked it: it is to be shown, and the server decides. @param {string} token @returns {Claims | null} */
export function claimsOf(token) {
  try {
    const [, body, signature] = token.split(".");
    const bytes = Uint8Array.from(atob(body.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    const whole = signature && typeof claims.channel === "string" && Number.isInteger(claims.exp);
    return whole ? claims : null;
  } catch {
    return null;
  }
}

/** @param {string} pattern @param {string} channel */
function covers(pattern, channel) {
  return pattern === channel || (pattern.endsWith("/*") && channel.startsWith(pattern.slice(0, -1)));
}

/** @param {string} pattern @param {string} token */
function keep(pattern, token) {
  here.set(pattern, token);
  try {
    sessionStorage.setItem(PREFIX + pattern, token);
  } catch {
    // the page has it
  }
}

/** @param {string} pattern @returns {string} */
function read(pattern) {
  try {
    return here.get(pattern) ?? sessionStorage.getItem(PREFIX + pattern) ?? "";
  } catch {
    return "";
  }
}

/** @returns {string[]} */
function kept() {
  try {
    const names = Object.keys(sessionStorage).filter((name) => name.startsWith(PREFIX));
    return [...new Set([...here.keys(), ...names.map((name) => name.slice(PREFIX.length))])];
  } catch {
    return [...here.keys()];
  }
}
