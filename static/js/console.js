// The console: one link of its own whose every frame is seen. Connecting, subscribing and publishing go through `Link`,
// as in every page; what it sends and gets passes a `Wire`, which tells the log and can be slowed, cut and flooded.
// It is one function, and long: each of its forms speaks over the same link, through the same wire, to the same log.

import { Announcer } from "./announcer.js";
import { asBot, Crowd } from "./bots.js";
import { copy } from "./clipboard.js";
import { readEvents } from "./editor.js";
import { element } from "./elements.js";
import { FrameList } from "./frame-list.js";
import { FrameLog } from "./frame-log.js";
import { connect, protocols } from "./link.js";
import { Secrets } from "./secrets.js";
import { requestOf, snippet } from "./snippets.js";
import { workshop } from "./strings-workshop.js";
import { Words } from "./strings.js";
import { Wire } from "./wire.js";

/** @typedef {import("./link.js").Link} Link */
/** @typedef {import("./snippets.js").Request} Request */

const BOTS = 10;
const FLOOD = 100;
const CHANNEL = /^\/?[A-Za-z0-9-]{1,50}(?:\/[A-Za-z0-9-]{1,50}){0,4}(?:\/\*)?\/?$/;

/** Brings the console of the page to life. @returns {FrameLog}  all that happens on its connection */
export function openConsole() {
  const words = new Words();
  const say = workshop();
  const url = location.origin; // what works for this reader, whatever the server calls itself
  const relays = (element("console").dataset.relays ?? "").split(" ");
  const announcer = new Announcer(element("status"));
  const log = new FrameLog();
  const wire = new Wire((happening) => log.add(happening));
  const secrets = new Secrets();
  const crowd = new Crowd((number) => say.bot(words.number(number)));
  /** @type {Link | null} */
  let link = null;

  const credential = field("credential");
  const mode = field("mode");
  const reveal = /** @type {HTMLInputElement} */ (element("reveal"));

  // -- what may be shown -------------------------------------------------------------------------------------------------

  const placeholder = () => (mode.value === "token" ? say.tokenPlaceholder : say.placeholder);

  /** @param {string} text */
  const mask = (text) => (reveal.checked ? text : secrets.mask(text));

  // -- connect -----------------------------------------------------------------------------------------------------------

  const isLive = () => link !== null && link.state !== "closed" && link.state !== "refused";

  element("connect").addEventListener("submit", (event) => {
    event.preventDefault();
    if (isLive()) {
      disconnect();
      return;
    }
    secrets.add(credential.value, placeholder());
    const [key, token] = mode.value === "token" ? [undefined, credential.value] : [credential.value, undefined];
    link = connect({ url, key, token, environment: { WebSocket: wire.Socket } });
    showState();
  });

  function disconnect() {
    stopCrowd();
    link?.close();
    element("subscriptions").replaceChildren();
    showState();
  }

  document.body.addEventListener("lb:state", showState);

  function showState() {
    const state = link?.state ?? "closed";
    const shown = element("state");
    const told = state === "closed" ? say.disconnected : words.link(state);
    shown.dataset.state = state;
    shown.textContent = told;
    announcer.say(told);
    element("connect-button").textContent = isLive() ? say.disconnect : say.connect;
    element("connect-button").classList.toggle("primary", !isLive());
    if (!isLive()) {
      element("subscriptions").replaceChildren();
      stopCrowd();
    }
    for (const input of [credential, mode]) input.disabled = isLive();
  }

  function showHandshake() {
    const name = mode.value === "token" ? "Authorization" : "x-api-key";
    const value = reveal.checked ? credential.value : placeholder();
    const authorization = { host: new URL(url).host, [name]: value };
    element("header").textContent = JSON.stringify(authorization);
    element("subprotocol").textContent = protocols(authorization)[1];
  }
  for (const input of [credential, mode]) input.addEventListener("input", showHandshake);

  // -- subscribe ---------------------------------------------------------------------------------------------------------

  element("subscribe").addEventListener("submit", (event) => {
    event.preventDefault();
    const channel = field("channel").value.trim();
    const fault = !CHANNEL.test(channel) ? say.notAChannel : !isLive() ? say.connectFirst : "";
    note("subscribe-note", fault, !CHANNEL.test(channel) ? field("channel") : undefined);
    if (fault || !link) return;
    const view = field("view").value ? JSON.parse(field("view").value) : undefined;
    const path = `/${channel.replace(/^\/|\/$/g, "")}`;
    const chip = document.createElement("li");
    const subscription = link.subscribe(path, view, () => {}, (error, again) => {
      note("subscribe-note", say.subscribeRefused(path, words.why(error)));
      if (!again) chip.remove();
    });
    show({ type: "subscribe", channel: path, view });
    if (!isLive()) return;
    const end = document.createElement("button");
    end.type = "button";
    end.textContent = "×";
    end.setAttribute("aria-label", say.unsubscribe(subscription.id, path));
    end.addEventListener("click", () => {
      subscription.close();
      chip.remove();
      field("channel").focus();
    });
    const number = document.createElement("b");
    number.textContent = subscription.id;
    const name = document.createElement("code");
    name.textContent = path;
    chip.append(number, name, end);
    element("subscriptions").append(chip);
  });

  // -- publish -----------------------------------------------------------------------------------------------------------

  const events = field("events");
  events.addEventListener("input", checkEvents);
  events.addEventListener("keydown", (event) => {
    if (/** @type {KeyboardEvent} */ (event).key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      /** @type {HTMLFormElement} */ (element("publish")).requestSubmit();
    }
  });

  /** Says what is wrong with the events before anything is sent. @returns {unknown[] | undefined} */
  function checkEvents() {
    const { events: found, fault } = readEvents(events.value);
    if (fault) {
      const { line, column, wanted } = fault;
      note("events-note", say.invalid(words.number(line), words.number(column), say.wanted[wanted]), events);
      return undefined;
    }
    note("events-note", "", events);
    element("events-note").textContent =
      found.length > 5 ? say.tooMany : found.length ? say.valid(found.length, words.number(found.length)) : say.noEvents;
    return found;
  }

  element("publish").addEventListener("submit", (event) => {
    event.preventDefault();
    const found = ready();
    if (!found || !link) return;
    const times = Number(/** @type {HTMLButtonElement | null} */ (event.submitter)?.value ?? 1);
    const target = field("target").value.trim();
    show({ type: "publish", channel: target, events: found.map((each) => JSON.stringify(each)) });
    for (let number = 1; number <= times; number += 1) {
      const sent = times > 1 ? asBot(found, number, say.bot(words.number(number))) : found;
      link.publish(target, sent).catch(() => {}); // the frames tell
    }
    element("events-note").textContent = say.sent(words.number(times));
    announcer.say(say.sent(words.number(times)));
  });

  /** The events, if they could be sent now; else the reason is shown. */
  function ready() {
    const found = checkEvents();
    if (!found) {
      const position = readEvents(events.value).fault?.position ?? 0;
      events.focus();
      events.setSelectionRange(position, position + 1);
      return undefined;
    }
    if (isLive()) return found;
    note("events-note", say.connectFirst);
    return undefined;
  }

  // -- bots --------------------------------------------------------------------------------------------------------------

  const crowdButton = element("crowd");
  crowdButton.addEventListener("click", () => {
    if (crowd.running) {
      stopCrowd();
      return;
    }
    if (!ready()) return;
    crowdButton.setAttribute("aria-pressed", "true");
    crowd.start((sent) => {
      link?.publish(field("target").value.trim(), sent).catch((error) => {
        if (crowd.running) note("events-note", say.crowdStopped(error.message));
        stopCrowd();
      });
    });
  });

  function stopCrowd() {
    crowd.stop();
    crowdButton.setAttribute("aria-pressed", "false");
  }

  // -- raw frames --------------------------------------------------------------------------------------------------------

  const frame = field("frame");
  const mistake = field("mistake");
  mistake.addEventListener("input", fillFrame);
  frame.addEventListener("input", checkFrame);

  function fillFrame() {
    const name = mode.value === "token" ? "Authorization" : "x-api-key";
    const text = mistake.value.replaceAll("CHANNEL", field("channel").value.trim()).replaceAll("x-api-key", name);
    const { events: [value] = [], fault } = readEvents(text);
    frame.value = fault ? text : JSON.stringify(value, null, 2);
    checkFrame();
  }

  function checkFrame() {
    element("frame-note").textContent = readEvents(frame.value).fault ? say.rawIsNoJson : say.rawIsJson;
  }

  element("raw").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!wire.open) {
      note("frame-note", say.connectFirst);
      return;
    }
    const text = frame.value.replaceAll('"KEY"', JSON.stringify(credential.value));
    const binary = /** @type {HTMLButtonElement | null} */ (event.submitter)?.value === "binary";
    wire.send(binary ? new TextEncoder().encode(text) : text);
    element("frame-note").textContent = say.sent(words.number(1));
  });

  // -- faults ------------------------------------------------------------------------------------------------------------

  field("delay").addEventListener("input", () => {
    wire.delay = Number(field("delay").value);
  });
  element("cut").addEventListener("click", () => wire.cut());
  element("cut-long").addEventListener("click", () => wire.cut(10_000));
  element("flood").addEventListener("click", async () => {
    const found = ready();
    if (!found || !link) {
      note("fault-note", element("events-note").textContent ?? "");
      return;
    }
    const target = field("target").value.trim();
    const answers = Array.from({ length: FLOOD }, (_, index) => {
      const number = (index % BOTS) + 1;
      return link?.publish(target, asBot(found, number, say.bot(words.number(number))));
    });
    const settled = await Promise.allSettled(answers);
    const refused = settled.filter((each) => each.status === "rejected").length;
    element("fault-note").textContent = say.flooded(words.number(FLOOD - refused), words.number(refused));
  });

  // -- frames ------------------------------------------------------------------------------------------------------------

  const list = new FrameList(log, {
    list: /** @type {HTMLOListElement} */ (element("frames")),
    scroller: element("scroller"),
    words,
    say,
    mask,
    actions: (entry) => [
      button(say.copyFrame, (pressed) => tellCopied(mask(entry.text), pressed.closest(".whole")?.querySelector("pre"))),
      ...(requestOf(entry.frame, []) ? [button(say.asCode, () => show(entry.frame, true))] : []),
    ],
    onDraw: ({ lines, waiting }) => {
      element("nothing").hidden = lines > 0;
      element("nothing").textContent = log.entries.length ? say.nothingPasses : say.nothingYet;
      element("pause").textContent = list.paused ? say.paused(words.number(waiting)) : say.pause;
      const { sent, received, published, snapshots } = log.counts;
      const told = [sent, received, published, snapshots].map((count) => words.number(count));
      element("counts").textContent = say.counts(told[0], told[1], told[2], told[3]);
    },
  });
  field("filter").addEventListener("input", () => {
    list.filter = /** @type {any} */ (field("filter").value);
  });
  element("pause").addEventListener("click", () => {
    list.paused = !list.paused;
    element("pause").setAttribute("aria-pressed", String(list.paused));
  });
  element("clear").addEventListener("click", () => {
    log.clear();
    list.redraw();
  });
  reveal.addEventListener("input", () => {
    list.redraw();
    showHandshake();
    showCode();
  });

  // -- code --------------------------------------------------------------------------------------------------------------

  /** @type {Request | undefined} */
  let request;
  const language = field("language");
  language.addEventListener("input", showCode);
  element("copy-code").addEventListener("click", () => {
    tellCopied(element("code").textContent ?? "", element("code"));
  });

  /** Shows a frame as code. @param {any} sent @param {boolean} [asked]  whether somebody looks for it now */
  function show(sent, asked = false) {
    request = requestOf(sent, relays) ?? request;
    showCode();
    if (asked) element("code").scrollIntoView({ block: "nearest" });
    if (asked) element("code").focus({ preventScroll: true });
  }

  function showCode() {
    element("copy-note").textContent = "";
    if (!request) {
      element("code").textContent = say.noCode;
      return;
    }
    const shown = { kind: /** @type {any} */ (mode.value), value: reveal.checked ? credential.value : "" };
    element("code").textContent = snippet(/** @type {any} */ (language.value), request, url, shown);
  }

  /** Copies, or selects what stands there to be copied by hand. @param {string} text @param {Element | null} [shown] */
  async function tellCopied(text, shown) {
    const done = await copy(text);
    if (!done && shown) getSelection()?.selectAllChildren(shown);
    const told = done ? say.copied : say.copyFailed;
    element("copy-note").textContent = told;
    announcer.say(told);
  }

  element("endpoint").textContent = `${url.replace("http", "ws")}/event/realtime`;
  showHandshake();
  checkEvents();
  fillFrame();
  document.documentElement.dataset.started = "";
  return log;
}

/** A sentence beside a field; with the field, whether it is wrong. @param {string} id @param {string} text @param {HTMLElement} [input] */
function note(id, text, input) {
  const shown = element(id);
  shown.textContent = text;
  shown.classList.toggle("wrong", text !== "");
  if (!input) return;
  if (text) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

/** @param {string} text @param {(pressed: HTMLElement) => void} press */
function button(text, press) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "button";
  made.textContent = text;
  made.addEventListener("click", () => press(made));
  return made;
}

/** @param {string} id @returns {HTMLInputElement & HTMLSelectElement} */
function field(id) {
  return /** @type {any} */ (document.getElementById(id));
}
