// The page /r/{code}: lobby, 3-2-1, round, podium. What is shown follows from the newest snapshot alone, so whoever comes
// late, or comes back, is where everybody is.

import { Announcer, tellOfLink } from "./announcer.js";
import { keepAwake } from "./awake.js";
import { showLink } from "./badge.js";
import { Board } from "./board.js";
import { Cues } from "./cues.js";
import { element, text } from "./elements.js";
import { arrive, offer } from "./elsewhere.js";
import { LinkError, connect } from "./link.js";
import { Round } from "./play.js";
import { podium } from "./podium.js";
import { Refused, ask, join, leaveSeat, seatIn } from "./seat.js";
import { crowdOf, stageOf } from "./stages.js";
import { play } from "./strings-play.js";
import { Words } from "./strings.js";

/** @typedef {import("./link.js").Snapshot} Snapshot */

const KEYS = ["KeyQ", "KeyW", "KeyE", "KeyA", "KeyS", "KeyD", "KeyZ", "KeyX", "KeyC"];
const PAD = ["Numpad7", "Numpad8", "Numpad9", "Numpad4", "Numpad5", "Numpad6", "Numpad1", "Numpad2", "Numpad3"];
const SOON = 3000;

const words = new Words();
const say = play();
const main = element("main");
const { code = "", channel = "" } = main.dataset;
const announcer = new Announcer(element("status"));
const cues = new Cues(element("sound"), element("buzz"));
const tiles = /** @type {HTMLButtonElement[]} */ ([...element("tiles").children]);
// A page that came by plain http over a LAN has no randomUUID.
const by = [...crypto.getRandomValues(new Uint32Array(2))].map((each) => each.toString(36)).join("");

/** @type {Round | null} */
let round = null;
/** @type {Snapshot | null} */
let newest = null;
let stage = "wait";
let lastRank = 0;
/** The round of which it has been said that it ends soon. */
let warned = 0;
let n = 0;

const fault = await arrive(code, channel);
offer(code, /** @type {HTMLDetailsElement} */ (element("elsewhere")));
if (fault) refuseSeat(fault);
else if (!seatIn(code).token) location.replace(`/j/${code}`);
else begin().catch(refuse);

async function begin() {
  const { player: before, name: called } = seatIn(code);
  // Whoever is not known here any more goes on under the same name, if it may.
  const { player, token } = await join(code, called).catch((error) => {
    if (error instanceof Refused && error.status === 422) return join(code);
    throw error;
  });
  if (before && before !== player) text("refusal", say.anew);
  let seated = false;
  const { name = "", host = "", solo = false } = seatIn(code);
  const link = connect({ url: location.href, token: host || token });
  const near = new Board(/** @type {HTMLTableElement} */ (element("near").querySelector("table")), {
    words,
    own: player,
    order: "desc",
  });
  for (const each of document.querySelectorAll(".you")) each.textContent = name;

  showLink(element("link"), link, words, (state) => {
    if (state === "refused") void unseat();
  });
  tellOfLink(announcer, words.say);

  const start = element("start");
  const open = () => {
    if (!newest) return;
    const { number, props } = newest.round;
    const over = stage === "over";
    start.hidden = true;
    link
      .publish(channel, [
        ...(over ? [{ op: "clear", players: true }] : []),
        { op: "props", props: { public: { ...props, played: over ? number + 1 : number } } },
        { op: "open", in_ms: SOON, for_ms: props?.round_ms },
      ])
      .catch(refuse);
  };
  start.addEventListener("click", open);

  /** @param {Snapshot} snapshot */
  const show = (snapshot) => {
    const first = newest === null;
    newest = snapshot;
    const { round: now, starts_in_ms: startsIn, ends_in_ms: endsIn } = snapshot;
    const game = /** @type {import("./play.js").Game | undefined} */ (/** @type {unknown} */ (now.props));
    if (!snapshot.epoch || !game?.round_ms) {
      turn("wait");
      leave(say.closed, anchor("/play", say.another));
      return;
    }
    if (round?.number !== now.number || first) {
      round = new Round(game, now.number, (hits) => {
        n += 1;
        return link.publish(channel, [{ player, hits, round: now.number, by, n }]).then((told) => {
          if (told.failed.length) throw new Error(told.failed[0].message);
        });
      });
    }
    if (now.state === "soon" && startsIn !== undefined) round.begins(performance.now() + startsIn);
    if (now.state === "open" && endsIn !== undefined) round.begins(performance.now() + endsIn - game.round_ms);
    const own = snapshot.around?.find((row) => row.player === player);
    if (own) round.believe(own);
    text("shown-as", own && now.props?.hide_names ? say.shownAs(own.name ?? "") : "");
    near.draw({ ...snapshot, rows: snapshot.around ?? [], around: [] });
    if (own) element("place").textContent = say.place(words.number(own.rank), words.number(snapshot.total));
    // While a board is frozen or revealed, a row that is not there says nothing.
    if (seated && !own && !now.frozen) text("refusal", say.offBoard);
    if (own && element("refusal").textContent === say.offBoard) text("refusal", "");
    seated ||= own !== undefined;
    if (snapshot.rows) lobby(snapshot);
    element("invite").hidden = !host || solo;

    const before = stage;
    turn(stageOf(snapshot));
    element("near").hidden = !own || (stage !== "play" && (stage !== "over" || now.frozen));
    if (stage === "play" && own) tellPlace(own.rank, near.standings.of(player));
    if (stage === "over") over(snapshot, before === "over", near.standings.of(player));
    start.hidden = !host || (stage !== "lobby" && stage !== "over");
    start.textContent = stage === "over" ? say.again : say.start;
    element("hint").textContent =
      stage === "lobby" ? (host ? (solo ? "" : say.tell(code)) : say.waiting) : stage === "over" && !host ? say.nextByHost : "";
    if (first && solo && stage === "lobby") open();
  };
  link.subscribe(channel, { top: 10, around: player, radius: 1 }, show, refuse);

  /** @param {number} tile */
  const pressed = (tile) => {
    const points = stage === "play" ? round?.press(tile) : null;
    if (points === null || points === undefined) return;
    const button = tiles[tile];
    button.dataset.told = points > 0 ? "hit" : "miss";
    cues.give(points > 0 ? "hit" : "miss", round?.hand.combo);
    setTimeout(() => delete button.dataset.told, 180);
    paint();
  };
  element("tiles").addEventListener("pointerdown", (event) => {
    const tile = /** @type {Element} */ (event.target).closest("button");
    if (!tile) return;
    event.preventDefault();
    pressed(Number(tile.dataset.tile));
  });
  // Enter and space on a tile that has the focus, and assistive technology, come as clicks without a pointer.
  element("tiles").addEventListener("click", (event) => {
    const tile = /** @type {Element} */ (event.target).closest("button");
    if (tile && event.detail === 0) pressed(Number(tile.dataset.tile));
  });
  document.addEventListener("keydown", (event) => {
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    const tile = Math.max(KEYS.indexOf(event.code), PAD.indexOf(event.code));
    if (tile < 0 || stage !== "play") return;
    event.preventDefault();
    pressed(tile);
  });
}

/** @param {number} rank @param {import("./standing.js").Standing | undefined} standing */
function tellPlace(rank, standing) {
  if (lastRank && lastRank !== rank && standing) announcer.say(words.sentence(standing));
  lastRank = rank;
}

/** Shows one part of the page. @param {string} next */
function turn(next) {
  if (next === stage) return;
  stage = next;
  main.dataset.stage = next;
  for (const part of main.querySelectorAll("[data-of]")) {
    /** @type {HTMLElement} */ (part).hidden = /** @type {HTMLElement} */ (part).dataset.of !== next;
  }
  keepAwake(next === "lobby" || next === "count" || next === "play");
  element("elsewhere").hidden = next !== "lobby" && next !== "over";
  if (next === "play") {
    lastRank = 0;
    announcer.say(say.go);
    cues.give("go");
  }
  if (next === "count" || next === "play") requestAnimationFrame(frame);
}

function frame() {
  if (stage !== "count" && stage !== "play") return;
  paint();
  requestAnimationFrame(frame);
}

function paint() {
  if (!round) return;
  const seconds = Math.max(1, Math.ceil(-round.at / 1000));
  if (stage === "count" && element("count").textContent !== words.number(seconds)) cues.give("tick");
  text("count", words.number(seconds));
  text("score", words.number(round.score));
  text("clock", words.clock(round.left));
  if (round.running && round.left < 10_000 && warned !== round.number) {
    if (round.left > 9_000) announcer.say(words.say.tenSeconds);
    warned = round.number;
  }
  text("combo", say.combo(round.hand.combo));
  /** @type {HTMLProgressElement} */ (element("left")).value = Math.round(100 * round.share);
  const lit = round.running ? round.lit : -1;
  tiles.forEach((tile, index) => tile.classList.toggle("lit", index === lit));
}

/** @param {Snapshot} snapshot */
function lobby(snapshot) {
  const { total, rows = [] } = snapshot;
  const { people, bots } = crowdOf(snapshot);
  text("here", say.here(people, words.number(people), bots, words.number(bots)));
  const items = rows.map((row) => item("bdi", row.name || row.player));
  if (total > rows.length) items.push(item("span", say.others(words.number(total - rows.length))));
  const texts = (/** @type {Iterable<Element>} */ list) => [...list].map((each) => each.textContent).join("\n");
  if (texts(items) !== texts(element("names").children)) element("names").replaceChildren(...items);
}

/** @param {Snapshot} snapshot @param {boolean} again @param {import("./standing.js").Standing | undefined} standing */
function over(snapshot, again, standing) {
  const { frozen, hidden } = snapshot.round;
  // Where the host keeps the ending back, a phone does not tell it, nor what stood when the board was frozen as if it were.
  const kept = frozen ? (hidden ? words.say.veiled(words.number(hidden)) : words.say.frozen) : "";
  if (!frozen) podium(element("podium"), snapshot, words);
  const revealed = !frozen && element("podium").hidden;
  element("podium").hidden = frozen;
  const sentence = kept || (standing ? words.sentence(standing) : "");
  text("own-place", sentence);
  element("own-place").hidden = !sentence;
  if (!again) {
    announcer.say(`${words.say.roundOver}. ${sentence}`);
    cues.give("over");
  } else if (revealed) {
    announcer.say(sentence);
  }
}

/** The server takes this seat no more: it has begun anew, and the room with it, or the seat's day is over. */
async function unseat() {
  const gone = await ask(`/${code}`).then(
    () => false,
    (error) => error instanceof Refused && error.status === 404,
  );
  if (gone) leave(say.closed, anchor("/play", say.another));
  else leave(say.seatEnded, anchor(`/j/${code}`, say.joinAgain));
}

/** The link to a seat is good no more; a seat that this browser has had is kept. @param {string} why */
function refuseSeat(why) {
  text("refusal", why);
  text("hint", "");
  element("hint").append(seatIn(code).token ? anchor(`/r/${code}`, say.goOn) : anchor(`/j/${code}`, say.joinAsNew));
}

/** Nothing more can be played here. @param {string} why @param {HTMLElement} onward */
function leave(why, onward) {
  leaveSeat(code);
  turn("wait");
  for (const part of ["near", "start"]) element(part).hidden = true;
  text("refusal", why);
  element("hint").replaceChildren(onward);
}

/** @param {unknown} error */
function refuse(error) {
  if (error instanceof LinkError) {
    text("refusal", words.why(error));
    return;
  }
  const known = error instanceof Refused || (error instanceof Error && error.name !== "TypeError");
  element("refusal").textContent = known ? /** @type {Error} */ (error).message : say.failed;
  if (error instanceof Refused && error.status === 403) element("refusal").textContent = say.removed;
}

/** @param {string} tag @param {string} content */
function item(tag, content) {
  const outer = document.createElement("li");
  const inner = document.createElement(tag);
  inner.textContent = content;
  outer.append(inner);
  return outer;
}

/** @param {string} href @param {string} content */
function anchor(href, content) {
  const made = document.createElement("a");
  made.href = href;
  made.textContent = content;
  return made;
}
