// The page of one board, /l/{channel}: link, table, facts around it, and the few sentences that are read aloud.

import { Announcer, tellOfLink } from "./announcer.js";
import { showLink } from "./badge.js";
import { Board } from "./board.js";
import { element } from "./elements.js";
import { connect } from "./link.js";
import { drop, passFor, reason, take } from "./pass.js";
import { ScoreForm } from "./score-form.js";
import { lines } from "./standing.js";
import { Words } from "./strings.js";

/** @typedef {import("./link.js").Snapshot} Snapshot */

const words = new Words();
const stage = element("main");
const { channel = "", key = "", around = "", me, order, top, epoch, version } = stage.dataset;
const announcer = new Announcer(element("status"));
const card = element("board");
const table = /** @type {HTMLTableElement} */ (card.querySelector("table"));
const pause = element("pause");
const mine = me !== undefined;
/** So long what has happened to the board stays to be read. */
const NEWS_MS = 12_000;

/** The rows that are shown. @type {import("./link.js").Row[]} */
let rows = [];

const board = new Board(table, {
  words,
  own: around,
  order: order === "asc" ? "asc" : "desc",
  onDraw: show,
});

// A link that carries a role opens this page: then it is that role's, and else everybody's.
const brought = take();
const pass = brought ? (brought.claims ? { token: brought.token, claims: brought.claims } : null) : passFor(channel);
const told = element("pass");
if (brought && !pass) tell(reason(brought.token));
if (pass) {
  element("closed")?.remove();
  for (const each of stage.querySelectorAll("[data-live]")) /** @type {HTMLElement} */ (each).hidden = false;
  const { role, exp } = pass.claims;
  tell(words.say.pass(words.say.roles[role] ?? "", words.moment(exp * 1000)));
}

const link = connect({ url: location.href, ...(pass ? { token: pass.token } : { key }) });
if (pass && pass.claims.role !== "viewer") new ScoreForm(element("scoring"), link, channel, words, pass.claims);

link.subscribe(
  channel,
  { top: Number(top), ...(around && { around }), ...(epoch && { since: `${epoch}.${version}` }) },
  (snapshot) => board.draw(snapshot),
  (error, again) => {
    badge(again ? "reconnecting" : "refused");
    if (!again) refused(error);
  },
);

const badge = showLink(element("link"), link, words, (state) =>
  card.classList.toggle("away", state === "offline" || state === "refused"),
);
tellOfLink(announcer, words.say);

pause.addEventListener("click", () => {
  board.paused = !board.paused;
  pause.setAttribute("aria-pressed", String(board.paused));
});

/** Nothing more comes, and the page says why. A link that is over is forgotten: loaded again, the page is everybody's. */
/** @param {import("./link.js").LinkError} error */
function refused(error) {
  element("scoring").hidden = true;
  const over = pass && error.name === "UnauthorizedException";
  if (over) drop(pass);
  tell(over ? reason(pass.token) : words.why(error));
}

/** @param {string} text */
function tell(text) {
  told.hidden = false;
  told.textContent = text;
}

let life = epoch;
let news = 0;

/** Scores live in memory: after a restart of the server the board is another one. @param {Snapshot} snapshot */
function showLife(snapshot) {
  if (life && snapshot.epoch !== life) {
    element("news").textContent = words.say.newBoard;
    element("news").hidden = false;
    announcer.say(words.say.newBoard);
    clearTimeout(news);
    news = setTimeout(() => (element("news").hidden = true), NEWS_MS);
  }
  life = snapshot.epoch;
}

/** Everything but the rows. @param {Snapshot} snapshot */
function show(snapshot) {
  showLife(snapshot);
  rows = lines(snapshot);
  const some = snapshot.total > 0; // while a board is revealed, it may show no row yet
  table.hidden = !some;
  element("empty").hidden = some;
  fact("total", snapshot.total);
  fact("watching", snapshot.watching);
  fact("playing", snapshot.playing);
  showRound(snapshot);
  element("facts").hidden = !some && element("round").hidden; // a round may begin before there is a score
  if (around) showPlace(snapshot.round);
}

/** @param {string} id @param {number | undefined} value */
function fact(id, value) {
  const shown = element(id);
  /** @type {HTMLElement} */ (shown.parentElement).hidden = value === undefined;
  if (value !== undefined) shown.textContent = words.number(value);
}

// -- the round: counted from what the server says is left, since a phone's clock may be wrong ----------------------------

let clock = 0;
let roundState = "";
let warned = "";

/** @param {Snapshot} snapshot */
function showRound(snapshot) {
  clearInterval(clock);
  const { round, starts_in_ms: startsIn, ends_in_ms: endsIn } = snapshot;
  const soon = round.state === "soon" && startsIn !== undefined;
  const left = soon ? startsIn : round.state === "open" ? endsIn : undefined;
  const over = round.state === "closed" && snapshot.total > 0; // a closed board without scores has not begun
  const [label, value] = /** @type {HTMLElement[]} */ ([...element("round").children]);

  const veiled = round.hidden ? words.say.veiled(words.number(round.hidden)) : round.frozen ? words.say.frozen : "";
  const which = soon ? words.say.roundSoon : words.say.round(words.number(round.number));

  element("round").hidden = left === undefined && !over && !veiled;
  label.textContent = left !== undefined && veiled ? `${veiled} · ${which}` : which;
  value.textContent = veiled || (over ? words.say.roundOver : "");
  if (over && roundState === "open") announcer.say(words.say.roundOver);
  roundState = round.state;
  if (left === undefined) return;

  const end = performance.now() + left;
  const life = `${snapshot.epoch} ${round.number}`;
  const tick = () => {
    const rest = end - performance.now();
    value.textContent = words.clock(rest);
    if (!soon && rest < 10_000 && warned !== life) {
      if (rest > 9_000) announcer.say(words.say.tenSeconds);
      warned = life;
    }
    if (rest <= 0) clearInterval(clock);
  };
  tick();
  clock = setInterval(tick, 250);
}

// -- the place of the player that the address names ----------------------------------------------------------------------

let lastRank = 0;

// One's own row sticks right above this, however many lines it has.
new ResizeObserver(() => {
  const shown = element("own-place");
  const place = shown.hidden ? 0 : shown.offsetHeight + 8;
  card.style.setProperty("--own-place", `${place}px`);
}).observe(element("own-place"));

/** @param {import("./link.js").Round} round */
function showPlace(round) {
  const shown = element("own-place");
  const standing = board.standings.of(around);
  shown.hidden = false;
  if (!standing) {
    shown.textContent = words.say[round.hidden ? "notRevealed" : "notPlaced"](mine ? "" : around);
    return;
  }
  const { rank, name, player } = standing.row;
  const sentence = words.sentence(standing, mine ? "" : name || player);
  if (shown.textContent !== sentence) shown.textContent = sentence;
  if (lastRank && lastRank !== rank) announcer.say(sentence);
  lastRank = rank;
}

// -- whom to follow: the address remembers it, so that it can be kept and shared ----------------------------------------

const who = /** @type {HTMLInputElement} */ (element("who"));

who.addEventListener("focus", () => {
  if (!rows.length) return; // those that the server wrote are the newest known
  element("players").replaceChildren(...rows.map((row) => new Option(row.name || row.player, row.player)));
});

// People know names, the address wants an id.
element("follow").addEventListener("submit", () => {
  const asked = who.value.trim();
  const named = rows.find((row) => row.name?.toLowerCase() === asked.toLowerCase());
  who.value = named && !rows.some((row) => row.player === asked) ? named.player : asked;
});
