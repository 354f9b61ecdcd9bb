// The page of the lab, /lab and /lab/{n}: a console, and beside it the steps, which tick themselves. The connection and
// the credential stay while one goes from step to step, so that happens without loading a page.

import { openConsole } from "./console.js";
import { LESSONS } from "./lessons.js";
import { workshop } from "./strings-workshop.js";

const { lab: say } = workshop();
const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const status = /** @type {HTMLElement} */ (document.getElementById("status"));
const log = openConsole();
/** Steps that are done, in this tab. @type {Set<number>} */
const done = new Set(remembered());
/** The first steps may be done before they are opened; of the later ones only what happens then counts, since a lost link or
 * one more watcher was part of an earlier step. */
const EAGER = 5;
/** @type {Map<number, import("./lessons.js").Lesson>} */
const lessons = new Map(LESSONS.slice(0, EAGER).map((begin, index) => [index + 1, begin()]));

log.listen((entry) => {
  for (const [step, lesson] of lessons) {
    if (!done.has(step) && lesson(entry)) finish(step);
  }
});

/** @param {number} step */
function finish(step) {
  done.add(step);
  remember();
  mark();
  status.textContent = done.size === LESSONS.length ? say.allDone : say.stepDone(String(step));
}

function mark() {
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (main.querySelectorAll(".progress [data-step], .lesson"))) {
    const isDone = done.has(Number(element.dataset.step));
    element.toggleAttribute("data-done", isDone);
    const shown = /** @type {HTMLElement} */ (element.querySelector(".mark, .verdict"));
    shown.textContent = isDone ? say.done : say.toDo;
    element.querySelector(".next")?.classList.toggle("primary", isDone);
  }
}

/** @param {number} step */
function show(step) {
  for (const lesson of /** @type {NodeListOf<HTMLElement>} */ (main.querySelectorAll(".lesson"))) {
    lesson.hidden = lesson.dataset.step !== String(step);
  }
  for (const link of /** @type {NodeListOf<HTMLElement>} */ (main.querySelectorAll(".progress a"))) {
    if (link.dataset.step === String(step)) link.setAttribute("aria-current", "step");
    else link.removeAttribute("aria-current");
  }
  for (const late of [...lessons.keys()].filter((each) => each > EAGER)) lessons.delete(late);
  if (step <= EAGER || done.has(step)) return;
  const lesson = LESSONS[step - 1]();
  lessons.set(step, lesson);
  const last = log.entries.findLast((entry) => entry.event?.type === "snapshot");
  if (last && lesson(last)) finish(step); // how it was is what to compare with
}

main.addEventListener("click", (event) => {
  const link = /** @type {HTMLElement} */ (event.target).closest("a[data-step]");
  if (!(link instanceof HTMLAnchorElement) || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const step = Number(link.dataset.step);
  history.pushState({ step }, "", link.href);
  show(step);
  const heading = /** @type {HTMLElement} */ (main.querySelector(`.lesson[data-step="${step}"] h2`));
  heading.tabIndex = -1;
  heading.focus();
});
addEventListener("popstate", (event) => show(event.state?.step ?? Number(main.dataset.current)));

show(Number(main.dataset.current));
mark();

/** Which steps are done, and nothing else, outlives a reload of this tab. */
function remember() {
  try {
    sessionStorage.setItem("lab", JSON.stringify([...done]));
  } catch {
    // storage is off: a reload begins anew
  }
}

/** @returns {number[]} */
function remembered() {
  try {
    const known = JSON.parse(sessionStorage.getItem("lab") ?? "[]");
    return Array.isArray(known) ? known.filter((step) => Number.isInteger(step)) : [];
  } catch {
    return [];
  }
}
