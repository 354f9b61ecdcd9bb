// The words of the pages for learners and operators (console, check, lab, backstage): a part of the dictionary of
// strings.js in a file of its own, since boards and widgets need none of them. Another language is another entry of DICTIONARIES with the same members.

/**
 * @typedef {object} Told  what a sentence about a frame may say, in the reader's notation
 * @property {string} id
 * @property {string} channel
 * @property {string} after  milliseconds since the request; "" where that is not known
 * @property {string} error
 * @property {string} seconds
 * @property {number} events  how many
 * @property {string} applied
 * @property {string} failed  "" where nothing failed
 * @property {string} count
 * @property {string} view
 * @property {import("./link.js").Snapshot} [snapshot]
 * @property {(value: number) => string} number
 */

const plural = new Intl.PluralRules("en");
/** @param {number} count @param {string} shown */
const eventsOf = (count, shown) => `${shown} ${plural.select(count) === "one" ? "event" : "events"}`;
/** @param {number} count @param {string} shown */
const rowsOf = (count, shown) => `${shown} ${plural.select(count) === "one" ? "row" : "rows"}`;
/** @param {string} after */
const within = (after) => (after ? `, ${after} ms later` : "");
/** @param {string} id @param {string} channel */
const request = (id, channel) => (channel ? `${id} (${channel})` : id);

const ENGLISH = {
  // -- connection
  disconnected: "Not connected",
  refused: "Access refused",
  connect: "Connect",
  disconnect: "Disconnect",
  connectFirst: "Connect first: there is no connection to send this on.",
  notAChannel: "A channel is a path of 1 to 5 parts of letters, digits and hyphens, as /leaderboard/demo.",
  /** @param {string} channel @param {string} error */
  subscribeRefused: (channel, error) => `${channel}: ${error}`,
  /** @param {string} id @param {string} channel */
  unsubscribe: (id, channel) => `End subscription ${id} of ${channel}`,

  // -- publish
  /** @param {number} count @param {string} shown */
  valid: (count, shown) => `JSON: ${eventsOf(count, shown)} in one publish.`,
  tooMany: "JSON, but more than five events: the server will refuse them.",
  noEvents: "An empty list: a publish has at least one event.",
  /** @param {string} line @param {string} column @param {string} wanted */
  invalid: (line, column, wanted) => `Not JSON, line ${line}, column ${column}: ${wanted}.`,
  wanted: {
    early: "the text ends too early",
    value: "a value should stand here",
    string: "this string does not end, or holds a character that it may not",
    name: "a name in double quotes should stand here",
    colon: "a colon should stand here",
    comma: "a comma or a closing bracket should stand here",
    end: "nothing more may stand here",
  },
  /** @param {string} count */
  sent: (count) => `Sent ${count}. The answers are among the frames.`,
  /** @param {string} number */
  bot: (number) => `Bot ${number}`,
  /** @param {string} reason */
  crowdStopped: (reason) => `The crowd has stopped: ${reason}`,
  /** @param {string} applied @param {string} refused */
  flooded: (applied, refused) => `Of the flood ${applied} were taken and ${refused} refused. The connection stays.`,
  rawIsJson: "This is JSON. The server decides whether it is a message.",
  rawIsNoJson: "This is no JSON. It will be sent as it stands.",

  // -- frames
  /** @param {string} sent @param {string} received @param {string} published @param {string} data */
  counts: (sent, received, published, data) =>
    `${sent} sent, ${received} received · events published: ${published}, data frames received: ${data}`,
  pause: "Pause",
  /** @param {string} count */
  paused: (count) => `Paused, ${count} new`,
  nothingPasses: "Nothing that has come so far passes this filter.",
  nothingYet: "Every frame appears here, with what it means. Connect to see the first.",
  sentAt: "sent",
  receivedAt: "received",
  happened: "connection",
  /** @param {string} size */
  bytes: (size) => `${size} B`,
  /** @param {string} size */
  kilobytes: (size) => `${size} kB`,
  /** @param {string} count */
  times: (count) => `×${count}`,
  labels: { opening: "opening", open: "open", close: "closed", binary: "binary", text: "text" },
  copyFrame: "Copy",
  asCode: "As code",
  copied: "Copied.",
  copyFailed: "The browser does not allow copying here. The text is selected: copy it by hand.",
  placeholder: "YOUR-KEY",
  tokenPlaceholder: "YOUR-TOKEN",
  noCode: "Send a subscribe or a publish, and it stands here as code.",

  // -- what a happening means
  /** @param {string} url */
  opening: (url) =>
    `The client asks for a WebSocket at ${url} and offers two sub-protocols: aws-appsync-event-ws, and header-… with the credential in base64url.`,
  openingCut: "The client tries to connect, and the fault panel lets nothing through.",
  /** @param {string} protocol @param {string} after */
  opened: (protocol, after) => `The socket is open${within(after)}. The server has chosen ${protocol || "no sub-protocol"}.`,
  /** @param {string} code @param {string} meaning @param {string} reason */
  closed: (code, meaning, reason) => `The socket is closed, ${code}: ${meaning}${reason ? ` The server says: “${reason}”.` : ""}`,
  closeCut: "cut by the fault panel. The client comes back after a random pause that grows with each attempt.",
  closeOther: "not a code of this protocol.",
  closeCodes: {
    1000: "refused, or done. A connection_error before it says why.",
    1001: "the connection has reached its lifetime. A client comes back at once.",
    1005: "the other side gave no code.",
    1006: "nobody said goodbye: the network or the server is gone. The client comes back after a random pause.",
    1007: "a text frame was not UTF-8.",
    1008: "nothing was said for too long, or the host has removed this client.",
    1009: "the frame was longer than this server takes.",
    1012: "the server restarts. The client comes back after a random pause.",
    1013: "too slow, or the server is full. The client comes back later.",
  },
  binary: "A binary frame. The protocol has none: the answer is an error.",
  noJson: "No JSON, so no message: the answer is an error without an id.",
  noJsonReceived: "The server has sent something that is no JSON.",
  /** @param {string} type */
  unknownSent: (type) => `The protocol has no request ${type ? `“${type}”` : "without a type"}: the answer is an error.`,
  /** @param {string} type */
  unknownReceived: (type) => `A frame of the type “${type}”, which this page does not know.`,

  /** @type {Record<string, (told: Told) => string>} */
  frames: {
    "out connection_init": () => "Opens the conversation. The answer is connection_ack, or connection_error.",
    "in connection_ack": ({ after, seconds }) =>
      `The server takes the connection${within(after)}. A client that hears nothing for ${seconds} seconds gives it up.`,
    "in connection_error": ({ error }) => `The server refuses the connection: ${error}. It closes, and trying again would not help.`,
    "in ka": ({ count }) =>
      count === "1"
        ? "Keep-alive: the server is there. One comes at once, then one a minute; they share this line."
        : `Keep-alive: the server is there. ${count} of them so far, in this one line.`,
    "out subscribe": ({ id, channel, view }) =>
      `Asks for what happens on ${channel}, under the id ${id}${view ? `, through the view ${view}` : ""}. The answer is subscribe_success or subscribe_error.`,
    "in subscribe_success": ({ id, channel, after }) =>
      `Answers subscribe ${request(id, channel)}${within(after)}: data frames with the id ${id} follow, the present state first.`,
    "in subscribe_error": ({ id, channel, after, error }) => `Refuses subscribe ${request(id, channel)}${within(after)}: ${error}.`,
    "in data": ({ id, channel, snapshot, number }) =>
      snapshot
        ? `For subscription ${id}: the board ${snapshot.channel} at version ${number(snapshot.version)}, ${rowsOf(snapshot.rows?.length ?? 0, number(snapshot.rows?.length ?? 0))} of ${number(snapshot.total)}${snapshot.reset ? ", of a new life: forget what was before" : ""}${snapshot.skipped ? `, after ${number(snapshot.skipped)} that this client was too slow for` : ""}.`
        : `For subscription ${request(id, channel)}: one event, as it was published.`,
    "out unsubscribe": ({ id }) => `Ends subscription ${id}. The answer is unsubscribe_success or unsubscribe_error.`,
    "in unsubscribe_success": ({ id, after }) => `Answers unsubscribe ${id}${within(after)}: no more data with that id.`,
    "in unsubscribe_error": ({ id, error }) => `Refuses unsubscribe ${id}: ${error}.`,
    "out publish": ({ id, channel, events, number }) =>
      `Publishes ${eventsOf(events, number(events))} on ${channel}, under the id ${id}. The answer is publish_success, or publish_error if none was taken.`,
    "in publish_success": ({ id, channel, after, applied, failed }) =>
      `Answers publish ${request(id, channel)}${within(after)}: ${applied} applied${failed ? `, refused: ${failed}` : ""}.`,
    "in publish_error": ({ id, channel, after, error }) => `Refuses publish ${request(id, channel)}${within(after)}: ${error}.`,
    "in error": ({ error }) => `What was sent is no message of the protocol: ${error}.`,
  },
};

const ENGLISH_CHECK = {
  verdicts: {
    waiting: "Waiting",
    running: "Running",
    passed: "Works",
    warned: "Look here",
    failed: "Does not work",
    skipped: "Left out",
  },
  running: "Being tested …",
  good: "All of it works here.",
  warned: "It works here. One thing is worth a look.",
  /** @param {number} count @param {string} shown */
  bad: (count, shown) => (plural.select(count) === "one" ? "One thing does not work here." : `${shown} things do not work here.`),
  skipped: "It needs the socket.",
  skippedPrivate: "Public viewing is off on this server, so this page cannot stay connected to find out.",

  /** @param {string} ms */
  pageFound: (ms) => `The server answers over HTTP in ${ms} ms.`,
  /** @param {string} status */
  pageStatus: (status) => `The server answers with the status ${status}.`,
  pageLost: "The page has come, but the server does not answer any more.",
  pageAdvice: "See whether the server still runs, and load the page again.",

  /** @param {string} ms */
  socketFound: (ms) => `A WebSocket opens, and the server answers on it, in ${ms} ms.`,
  /** @param {string} ms */
  socketPrivate: (ms) => `A WebSocket opens, and the server answers on it, in ${ms} ms. Public viewing is off, so it ends there.`,
  /** @param {string} message */
  socketRefused: (message) => `A WebSocket opens, but the server takes no connection now: ${message}`,
  socketRefusedAdvice: "Try again in a minute. Whoever runs the server can raise the setting limits.connections.",
  socketMute: "A WebSocket opens, but no frame comes through it.",
  socketLost: "The page arrives, and a WebSocket does not open.",
  socketAdvice:
    "Something between this device and the server stops WebSockets: a proxy, a VPN, a filter, a guest network. Try without VPN, or on another network, as the hotspot of a phone. A proxy of your own must pass on the headers Upgrade and Connection.",

  /** @param {string} median @param {string} worst */
  echoFound: (median, worst) => `A frame and its answer take ${median} ms; the slowest of ten took ${worst} ms.`,
  /** @param {string} count */
  echoLost: (count) => `After ${count} answers no more came.`,
  echoAdvice:
    "The way is slow, so scores will look late. A full wifi is the usual reason: come nearer to the access point, use 5 GHz or a cable, or another network.",

  /** @param {string} second @param {string} all */
  minuteSoFar: (second, all) => `Open and quiet for ${second} of ${all} seconds.`,
  /** @param {string} all */
  minuteFound: (all) => `The socket stayed open through ${all} quiet seconds, and answered after them.`,
  /** @param {string} seconds @param {string} code */
  minuteClosed: (seconds, code) => `The socket was closed after ${seconds} s, with the code ${code}.`,
  /** @param {string} all */
  minuteDead: (all) => `After ${all} quiet seconds the socket looks open, and nothing comes through it any more.`,
  minuteRestart: "The server has been restarted. Check again.",
  minuteAdvice:
    "Something on the way ends quiet connections. Pages come back by themselves, with a gap each time. In a proxy, raise the time that a connection may be silent above a minute (in nginx: proxy_read_timeout); on a phone, switch off data saving for this page.",

  /** @param {string} address */
  othersThis: (address) => `This page came from ${address}, the address that others get.`,
  /** @param {string} address */
  othersFound: (address) => `${address} leads to this server, from this device.`,
  /** @param {string} address */
  othersOpen: (address) => `Open ${address}/check on a phone as well: a firewall or a guest network may still stop it.`,
  /** @param {string} address */
  othersMixed: (address) => `This page came over https, from which a browser does not ask ${address}.`,
  /** @param {string} address */
  othersLost: (address) => `${address} is the address that others get, and it does not answer this device.`,
  othersAdvice:
    "Put this device into the server’s network. If it is there: a firewall on the server’s machine may be closed for this port, or the network keeps its devices apart, as guest networks do; a hotspot helps. In a container, or behind a proxy, name the right address in the setting public_url.",
  othersNone: "The server listens to its own machine only, so nobody else can join.",
  othersNoneAdvice: "Start it with --host 0.0.0.0 to let in this network, or name its address in the setting public_url.",
};

const ENGLISH_LAB = {
  done: "Done",
  toDo: "To do",
  /** @param {string} step */
  stepDone: (step) => `Step ${step} is done.`,
  allDone: "All steps are done.",
};

const ENGLISH_BACKSTAGE = {
  refused: "This key is none of an admin of all channels.",
  failed: "The server could not answer. Its log says why.",
  away: "The server does not answer.",
};

/** @typedef {typeof ENGLISH & {check: typeof ENGLISH_CHECK, lab: typeof ENGLISH_LAB, backstage: typeof ENGLISH_BACKSTAGE}} Workshop */

/** @type {Record<string, Workshop>} */
const DICTIONARIES = { en: { ...ENGLISH, check: ENGLISH_CHECK, lab: ENGLISH_LAB, backstage: ENGLISH_BACKSTAGE } };

/** The words for a reader. @param {string} [locale] @returns {Workshop} */
export function workshop(locale = globalThis.navigator?.language || "en") {
  return DICTIONARIES[new Intl.Locale(locale).language] ?? DICTIONARIES.en;
}
