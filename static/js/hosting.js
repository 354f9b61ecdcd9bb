// What the presenter page and the remote have in common: the link, its badge, the clock, the sliders. The buttons are forms
// that htmx sends; it hears of the room by the events that link.js tells the page.

import { showLink } from "./badge.js";
import { element, text } from "./elements.js";
import { connect } from "./link.js";
import { crowdOf, stageOf } from "./stages.js";
import { play } from "./strings-play.js";
import { Words } from "./strings.js";

/** @typedef {import("./link.js").Snapshot} Snapshot */
/** @typedef {import("./stages.js").Stage} Stage */

export const words = new Words();
export const say = play();
const main = element("main");
const { channel = "", token = "" } = main.dataset;

// Who hosts already may have followed a presenter's link: nobody needs to see it.
if (location.hash) history.replaceState(history.state, "", location.pathname + location.search);

let starts = 0;
let ends = 0;
let length = 0;
/** @type {Stage} */
let stage = "wait";

/**
 * Shows the room, now and at each snapshot.
 * @param {object} view
 * @param {(snapshot: Snapshot, stage: Stage, before: Stage) => void} show
 */
export function host(view, show) {
  const link = connect({ url: location.href, token });
  showLink(element("link"), link, words);
  document.addEventListener("input", (event) => {
    const slider = /** @type {HTMLInputElement} */ (event.target);
    if (slider.type === "range") value(slider, slider.value);
  });

  link.subscribe(
    channel,
    view,
    (snapshot) => {
      const before = stage;
      stage = stageOf(snapshot);
      const { round, starts_in_ms: startsIn, ends_in_ms: endsIn } = snapshot;
      const now = performance.now();
      starts = startsIn === undefined ? 0 : now + startsIn;
      ends = endsIn === undefined ? 0 : now + endsIn;
      length = Number(round.props?.round_ms) || 0;
      if (main.dataset.stage !== stage) main.dataset.stage = stage;
      if (stage === "wait" && main.dataset.gone === undefined) gone();
      const numbered = say.round(words.number(round.number));
      text("told", { wait: say.ended, lobby: say.lobby, count: numbered, play: numbered, over: words.say.roundOver }[stage]);
      if (round.frozen) text("told", round.hidden ? words.say.veiled(words.number(round.hidden)) : words.say.frozen);
      const { people, bots } = crowdOf(snapshot);
      text("players", say.crowd(people, words.number(people), bots, words.number(bots)));
      sliders(round.props ?? {});
      clock();
      show(snapshot, stage, before);
    },
    (error) => {
      const ended = error.name === "UnauthorizedException";
      text("refusal", ended ? say.hostEnded : words.why(error));
      if (ended) void look();
    },
  );
  setInterval(clock, 100);
}

/** What this page may do has ended: perhaps with the room itself, as when the server has restarted. */
async function look() {
  const answer = await fetch(`/api/rooms/${main.dataset.code}`).catch(() => null);
  if (answer?.status !== 404) return;
  main.dataset.stage = stage = "wait";
  text("told", say.ended);
  text("refusal", "");
  gone();
}

/** The room has ended under this page. */
function gone() {
  const onward = document.createElement("a");
  onward.href = "/host";
  onward.textContent = say.another;
  element("gone").replaceChildren(say.closed, " ", onward);
  main.dataset.gone = "";
}

/** Seconds until the round begins, while it is announced. */
function countdown() {
  return Math.max(1, Math.ceil((starts - performance.now()) / 1000));
}

function clock() {
  const running = stage === "play" && ends > 0;
  const left = running ? ends - performance.now() : stage === "over" ? 0 : length;
  text("clock", running || length ? words.clock(left) : "");
  if (stage === "count") text("count", words.number(countdown()));
}

/** Another device may have moved them. @param {Record<string, any>} props */
function sliders(props) {
  for (const name of ["bots", "rate"]) {
    const slider = /** @type {HTMLInputElement | null} */ (document.querySelector(`input[type="range"][name="${name}"]`));
    if (slider && slider !== document.activeElement && props[name] !== undefined) value(slider, String(props[name]));
  }
}

/** @param {HTMLInputElement} slider @param {string} shown */
function value(slider, shown) {
  if (slider.value !== shown) slider.value = shown;
  const output = slider.nextElementSibling;
  if (output && output.textContent !== shown) output.textContent = shown;
}
