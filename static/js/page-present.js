// The page /r/{code}/present, for a projector: lobby, 3-2-1, ranking and podium, as the newest snapshot says, and the keys of
// the host.

import { Announcer, tellOfLink } from "./announcer.js";
import { Board } from "./board.js";
import { element, text } from "./elements.js";
import { host, say, words } from "./hosting.js";
import { podium } from "./podium.js";
import { crowdOf } from "./stages.js";

/** @typedef {import("./link.js").Row} Row */
/** @typedef {import("./link.js").Snapshot} Snapshot */

const ROWS = 10;
const GUESTS = 60;
/** The podium stands so long before the table takes its place; its last step comes in after three seconds. */
const PODIUM_MS = 12_000;

const announcer = new Announcer(element("status"));
const board = new Board(/** @type {HTMLTableElement} */ (element("board").querySelector("table")), { words, order: "desc" });
const toggle = element("podium-button");
let honoured = false;
let timer = 0;

tellOfLink(announcer, words.say);
host({ top: GUESTS }, (snapshot, stage, before) => {
  const rows = snapshot.rows ?? [];
  board.draw({ ...snapshot, rows: rows.slice(0, ROWS) });
  const settled = stage === "over" && !snapshot.round.frozen && rows.length > 0;
  if (settled && !honoured) {
    honoured = true;
    honour(true);
    if (before !== "over" && before !== "wait") announcer.say(words.say.roundOver);
  }
  if (!settled && honoured) {
    honoured = false;
    honour(false);
  }
  if (settled) podium(element("podium"), snapshot, words);
  toggle.hidden = !settled;
  const gathering = stage === "lobby" || stage === "wait";
  element("lobby").hidden = !gathering;
  element("count").hidden = stage !== "count";
  element("board").classList.toggle("aside", stage !== "play" && stage !== "over");
  if (stage === "play" && before === "count") announcer.say(say.go);
  if (gathering) gather(rows, snapshot);
});

/** The podium in the place of the table, for a while; pressed, until it is pressed again. @param {boolean} on */
function honour(on) {
  clearTimeout(timer);
  element("podium").hidden = !on;
  element("board").classList.toggle("behind", on);
  toggle.setAttribute("aria-pressed", String(on));
  if (on) timer = setTimeout(() => honour(false), PODIUM_MS);
}

toggle.addEventListener("click", () => {
  const on = Boolean(element("podium").hidden);
  honour(on);
  clearTimeout(timer);
});

/** @param {Row[]} rows @param {Snapshot} snapshot */
function gather(rows, snapshot) {
  const { people, bots } = crowdOf(snapshot);
  text("here", say.here(people, words.number(people), bots, words.number(bots)));
  const list = element("names");
  const key = rows.map((row) => `${row.player} ${row.name}`).join("\n");
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  const known = new Map([...list.children].map((item) => [/** @type {HTMLElement} */ (item).dataset.player, item]));
  list.replaceChildren(
    ...rows.map((row) => {
      const item = known.get(row.player) ?? document.createElement("li");
      if (!item.firstChild) {
        const name = document.createElement("button");
        name.type = "button";
        name.className = "name";
        name.append(document.createElement("bdi"));
        /** @type {HTMLElement} */ (item).dataset.player = row.player;
        item.append(name);
      }
      const shown = /** @type {HTMLElement} */ (item.querySelector("bdi"));
      if (shown.textContent !== (row.name || row.player)) shown.textContent = row.name || row.player;
      return item;
    }),
  );
}

// -- a click on a name ---------------------------------------------------------------------------------------------------

element("main").addEventListener("click", (event) => {
  const name = /** @type {Element} */ (event.target).closest(".scene .name");
  const holder = /** @type {HTMLElement | null} */ (name?.closest("[data-player]"));
  if (!name || !holder) return;
  text("person-name", name.textContent ?? "");
  /** @type {HTMLInputElement} */ (element("person-id")).value = holder.dataset.player ?? "";
  element("person-dialog").showPopover();
});

// What a dialog was opened for is done when its form has been sent.
document.addEventListener("submit", (event) => {
  const dialog = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest("[popover]"));
  dialog?.hidePopover();
});
document.body.addEventListener("htmx:before:request", () => text("refusal", ""));

// -- keys ----------------------------------------------------------------------------------------------------------------

const KEYS = { KeyS: "round-button", KeyN: "names-button", KeyF: "full", KeyP: "podium-button" };

document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector(":popover-open")) return;
  const id = KEYS[/** @type {keyof typeof KEYS} */ (event.code)];
  const button = id && document.getElementById(id);
  if (!button || button.hidden) return;
  event.preventDefault();
  button.click();
});

element("full").addEventListener("click", () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen().catch(() => {}); // a browser may not let it
});
