// <live-leaderboard>: a board in any page, of any site.
//
//   <script type="module" src="http://127.0.0.1:8000/widget.js"></script>
//   <live-leaderboard channel="/leaderboard/arcade"><a href="…">The leaderboard</a></live-leaderboard>
//
// It is a guest: it shows itself inside a shadow root with a style sheet of its own, so the page's styles and policy and
// ours leave each other alone; it writes text nodes only; and all that show boards of one server by the same key share
// one socket. leaderboard/packing.py makes one small file of this and what it imports: /widget.js.

import sheet from "../css/widget.css" with { type: "css" };
import { Board, make } from "./board.js";
import { connect } from "./link.js";
import { TableWords } from "./words.js";

/** @typedef {import("./link.js").Link} Link */
/** @typedef {import("./link.js").Snapshot} Snapshot */
/** @typedef {{id: string, link: Link, events: EventTarget, users: number}} Shared */

const ATTRIBUTES = ["channel", "limit", "lang", "label", "key", "highlight", "server"];
const EVENTS = ["lb:state", "lb:update", "lb:round", "lb:roster"];
/** So long a board that has not come yet is shown as one that comes. */
const HOPE_MS = 2000;

/** By server and key. @type {Map<string, Shared>} */
const links = new Map();

/** @param {string} server @param {string} key  an API key, or a signed token */
function share(server, key) {
  const id = `${server} ${key}`;
  let shared = links.get(id);
  if (!shared) {
    const events = new EventTarget();
    const link = connect({ url: server, target: events, [/^ey\w+\./.test(key) ? "token" : "key"]: key });
    links.set(id, (shared = { id, link, events, users: 0 }));
  }
  shared.users += 1;
  return shared;
}

/** @param {Shared} shared */
function release(shared) {
  shared.users -= 1;
  // Who takes one board away may be about to show another.
  setTimeout(() => {
    if (shared.users) return;
    shared.link.close();
    links.delete(shared.id);
  });
}

/** @param {string | null} lang */
function wordsOf(lang) {
  try {
    return new TableWords(lang || undefined);
  } catch {
    return new TableWords(); // what was given is no language
  }
}

class LiveLeaderboard extends HTMLElement {
  static observedAttributes = [...ATTRIBUTES, "theme"];

  #root = this.attachShadow({ mode: "open" });
  #due = false;
  /** The attributes by which the board that is shown was made. */
  #made = "";
  #end = () => {};

  connectedCallback() {
    this.#root.adoptedStyleSheets = [sheet];
    this.#look();
  }

  disconnectedCallback() {
    this.#look();
  }

  attributeChangedCallback() {
    this.#look();
  }

  /** Looks, once all that is being done to the element is done, whether it shows what it should. */
  #look() {
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      const wanted = this.isConnected ? JSON.stringify(ATTRIBUTES.map((name) => this.getAttribute(name))) : "";
      if (wanted !== this.#made) {
        const end = this.#end;
        this.#end = wanted ? this.#begin() : () => {}; // before the end of the one before: the link stays
        this.#made = wanted;
        end();
      }
      const box = /** @type {HTMLElement | null} */ (this.#root.firstElementChild);
      if (box) box.dataset.theme = this.getAttribute("theme") ?? "auto";
    });
  }

  /** Shows the board that the attributes name; returns what ends that. */
  #begin() {
    const [channel, limit, lang, label, key, highlight, server] = ATTRIBUTES.map((name) => this.getAttribute(name) ?? "");
    const words = wordsOf(lang);
    const { say } = words;
    const top = Math.min(100, Math.max(1, Math.trunc(Number(limit)) || 10));
    const title = label || channel.replace(/^.*\/(.?)/, (_, first) => first.toUpperCase()).replace(/-/g, " ");

    // A page of ours brings the rows of its first sight along.
    const given = /** @type {HTMLTableElement | null} */ (this.querySelector("table[data-epoch]"));
    const table = given ?? /** @type {HTMLTableElement} */ (
      make("table", { role: "table", "aria-label": title },
        make("thead", { role: "rowgroup" },
          make("tr", { role: "row" }, ...say.columns.map((name) => make("th", { role: "columnheader", scope: "col" }, name)))),
        make("tbody", { role: "rowgroup" }))
    );
    const status = make("span", { class: "status", part: "status" });
    const pause = make("button", { type: "button", class: "pause", title: say.pause, "aria-label": say.pause });
    const bones = make("div", { class: "bones" });
    const empty = make("p", { class: "empty" }, say.waiting);
    const fallback = make("slot", {});
    const box = make("div", { class: "box", part: "box" },
      make("div", { class: "header", part: "header" }, make("bdi", { class: "label" }, title), status, pause),
      table, bones, empty, fallback);
    bones.style.setProperty("--rows", String(top));
    this.#root.replaceChildren(box);

    /** @param {HTMLElement} pane */
    const show = (pane) => {
      for (const each of [table, bones, empty, fallback]) each.hidden = each !== pane;
    };
    const board = new Board(table, {
      words,
      own: highlight,
      onDraw: () => show(table.tBodies[0].rows.length ? table : empty),
    });
    let seen = given !== null;
    show(given?.tBodies[0].rows.length ? table : given ? empty : bones);
    const hope = setTimeout(() => seen || show(fallback), HOPE_MS);

    const shared = share(new URL(server || import.meta.url, location.href).origin, key);
    const { link, events } = shared;
    let refused = false;
    /** @type {Snapshot | undefined} */
    let newest;
    const tell = () => {
      // Where the server cannot reach its boards it is on its way back to them, as a link is.
      const state = refused ? "refused" : newest?.stale && link.state === "live" ? "reconnecting" : link.state;
      status.textContent = state === "live" && board.paused ? say.paused : words.link(state, link.lastKnown);
      status.dataset.state = state;
      this.toggleAttribute("stale", seen && state !== "live");
      if (state === "refused" && !seen) show(fallback);
    };

    const ears = new AbortController();
    for (const type of EVENTS) {
      events.addEventListener(type, (event) => {
        const { detail } = /** @type {CustomEvent} */ (event);
        if (type === "lb:state") tell();
        else if (detail.snapshot !== newest) return; // another element's
        this.dispatchEvent(new CustomEvent(type, { bubbles: true, detail }));
      }, { signal: ears.signal });
    }
    pause.addEventListener("click", () => {
      board.paused = !board.paused;
      pause.setAttribute("aria-pressed", String(board.paused));
      tell();
    });

    const { epoch, version } = given?.dataset ?? {};
    const subscription = link.subscribe(
      channel,
      {
        top,
        every: 2, // nobody plays by an embedded board
        ...(highlight && { around: highlight, radius: 0 }),
        ...(epoch && { since: `${epoch}.${version}` }),
      },
      (/** @type {Snapshot} */ snapshot) => {
        newest = snapshot;
        seen = true;
        refused = false;
        board.draw(snapshot);
        tell();
        const detail = { channel, snapshot };
        this.dispatchEvent(new CustomEvent("leaderboard:update", { bubbles: true, composed: true, detail }));
      },
      (error, again) => {
        console.warn(`<live-leaderboard> ${channel}: ${error.message}`);
        refused = !again;
        tell();
      },
    );
    tell();

    return () => {
      clearTimeout(hope);
      ears.abort();
      board.close();
      subscription.close();
      release(shared);
    };
  }
}

if (!customElements.get("live-leaderboard")) customElements.define("live-leaderboard", LiveLeaderboard);
