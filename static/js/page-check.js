// The page of the connectivity test, /check: runs the checks in turn and shows what they find, also as text to pass on.

import { checkEcho, checkMinute, checkOthers, checkPage, checkSocket, Probe } from "./checks.js";
import { copy } from "./clipboard.js";
import { element } from "./elements.js";
import { workshop } from "./strings-workshop.js";
import { Words } from "./strings.js";

/** @typedef {import("./checks.js").Finding} Finding */

const words = new Words();
const { check: say, copied, copyFailed } = workshop();
const { key = "", others = "", version = "" } = element("main").dataset;
const setting = { origin: location.origin, key, others, say, number: (/** @type {number} */ value) => words.number(value) };
const steps = ["page", "socket", "echo", "minute", "others"];
let run = 0;

/** @param {string} id @param {Finding} finding */
function show(id, { verdict, found, advice = "" }) {
  const step = element(id);
  step.dataset.state = verdict;
  part(step, ".verdict").textContent = say.verdicts[verdict];
  part(step, ".found").textContent = found;
  part(step, ".advice").textContent = advice;
  part(step, ".advice").hidden = advice === "";
  report();
}

async function check() {
  run += 1;
  const mine = run;
  /** @param {string} id @param {Promise<Finding>} finding */
  const settle = async (id, finding) => {
    const found = await finding;
    if (mine === run) show(id, found);
    return found;
  };
  for (const id of steps) show(id, { verdict: "running", found: say.running });
  element("summary").textContent = say.running;

  const others = settle("others", checkOthers(setting));
  await settle("page", checkPage(setting));
  const probe = new Probe(setting.origin, key);
  const socket = await settle("socket", checkSocket(probe, setting));
  if (socket.verdict === "passed" && !probe.refusal) {
    await settle("echo", checkEcho(probe, setting));
    await settle("minute", checkMinute(probe, setting, (found) => mine === run && show("minute", { verdict: "running", found })));
  } else {
    const found = probe.refusal ? say.skippedPrivate : say.skipped;
    for (const id of ["echo", "minute"]) await settle(id, Promise.resolve({ verdict: "skipped", found }));
  }
  probe.end();
  await others;
  if (mine === run) sum();
}

function sum() {
  const verdicts = steps.map((id) => element(id).dataset.state);
  const bad = verdicts.filter((verdict) => verdict === "failed").length;
  const warned = verdicts.filter((verdict) => verdict === "warned").length;
  element("summary").textContent = bad ? say.bad(bad, words.number(bad)) : warned ? say.warned : say.good;
  report();
}

/** The same as text, for a message to whoever can help. */
function report() {
  const lines = steps.map((id) => {
    const step = element(id);
    const [title, verdict, found, advice] = ["h2", ".verdict", ".found", ".advice"].map((each) => part(step, each).textContent);
    return `${verdict}: ${title}. ${found}${advice ? `\n    ${advice}` : ""}`;
  });
  const head = [`leaderboard ${version}, ${location.origin}`, new Date().toISOString(), navigator.userAgent];
  element("report").textContent = [...head, "", element("summary").textContent, "", ...lines].join("\n");
}

element("again").addEventListener("click", check);
element("copy").addEventListener("click", async () => {
  const text = element("report");
  /** @type {HTMLDetailsElement} */ (text.parentElement).open = true;
  const done = await copy(text.textContent ?? "");
  if (!done) getSelection()?.selectAllChildren(text);
  element("copy-note").textContent = done ? copied : copyFailed;
});
document.documentElement.dataset.started = "";
check();

/** @param {HTMLElement} step @param {string} selector */
function part(step, selector) {
  return /** @type {HTMLElement} */ (step.querySelector(selector));
}
