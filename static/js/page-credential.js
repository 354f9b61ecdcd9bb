// The page /credential: what a game server's link carries, and the code that uses it. The token stays masked until somebody
// wants to see it; copied, it is whole.

import { offerCopies } from "./clipboard.js";
import { element, text } from "./elements.js";
import { connect } from "./link.js";
import { claimsOf, reason, take } from "./pass.js";
import { snippet } from "./snippets.js";
import { Words } from "./strings.js";

const KEPT = "credential";
const words = new Words();
const brought = take();
const token = brought?.token ?? kept();
const claims = claimsOf(token);

offerCopies(element("status"));
if (claims) show(token, claims);
else if (brought) text("pass", reason(token));

/** @param {string} token @param {import("./pass.js").Claims} claims */
function show(token, { channel, exp, rate }) {
  keep(token);
  text("channel", channel);
  text("ends", words.moment(exp * 1000));
  text("rate", words.number(rate ?? 0));
  element("rated").hidden = !rate;
  element("pass").hidden = true;
  element("shown").hidden = false;

  const shown = element("token");
  shown.dataset.secret = token;
  const reveal = element("reveal");
  const mask = () => text("token", reveal.getAttribute("aria-pressed") === "true" ? token : `${token.slice(0, 6)}${"•".repeat(24)}`);
  reveal.addEventListener("click", () => {
    reveal.setAttribute("aria-pressed", String(reveal.getAttribute("aria-pressed") !== "true"));
    mask();
  });
  mask();

  const language = /** @type {HTMLSelectElement} */ (element("language"));
  const base = element("main").dataset.base ?? location.origin;
  // Of many channels, one to begin with.
  const target = channel === "/*" ? "/leaderboard/demo" : channel.replace(/\*$/, "demo");
  const request = { op: /** @type {const} */ ("publish"), channel: target, events: [{ player: "ann", score: 120 }] };
  const write = () =>
    text("code", snippet(/** @type {any} */ (language.value), request, base, { kind: "token", value: "" }));
  language.addEventListener("change", write);
  write();

  // Whether it is still good is best known by who uses it.
  const link = connect({ url: location.href, token });
  const badge = () => {
    element("link").dataset.state = link.state;
    text("link", words.link(link.state));
    if (link.state !== "refused") return;
    keep("");
    element("shown").hidden = true;
    element("pass").hidden = false;
    text("pass", reason(token));
  };
  document.body.addEventListener("lb:state", badge);
  badge();
}

/** @returns {string} */
function kept() {
  try {
    return sessionStorage.getItem(KEPT) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} value */
function keep(value) {
  try {
    if (value) sessionStorage.setItem(KEPT, value);
    else sessionStorage.removeItem(KEPT);
  } catch {
    // the page has it until it is left
  }
}
