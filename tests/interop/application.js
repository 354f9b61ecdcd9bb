// An application built on aws-amplify, steered from outside so that a test can play its user.
//
// A line of JSON on stdin calls one of `calls`: {"id":1,"call":"connect","arguments":["a","/default/chat"]}. Lines of
// JSON on stdout tell what came of it, and what the application got meanwhile:
//   {"id":1,"value":…} or {"id":1,"error":…}      the call resolved or rejected
//   {"from":"s","next":…} or {"from":"s","error":…}   the observer of subscription "s" was called
//   {"from":"state","next":"Connected"}           Amplify's Hub reported a ConnectionStateChange
//   {"from":"frames","next":"ka"}                 a frame of this type arrived, whatever Amplify made of it
// Channels and subscriptions go by names that the caller chooses.

import { createInterface } from "node:readline";
import { Amplify } from "aws-amplify";
import { events } from "aws-amplify/data";
import { Hub } from "aws-amplify/utils";
import WebSocket from "ws";

const channels = new Map();
const subscriptions = new Map();

const calls = {
  /** With a token, as an application does whose users sign in at a provider of its own (custom token providers). */
  configure(configuration, token) {
    const accessToken = { toString: () => token, payload: {} };
    const tokenProvider = { getTokens: async () => ({ accessToken }) };
    Amplify.configure(configuration, token ? { Auth: { tokenProvider } } : undefined);
  },

  async connect(name, path, options) {
    channels.set(name, await events.connect(path, options));
  },

  subscribe(channel, name, options) {
    const observer = {
      next: (value) => tell({ from: name, next: value }),
      error: (error) => tell({ from: name, error: plain(error) }),
    };
    const subscription = channels.get(channel).subscribe(observer, options);
    subscriptions.set(name, subscription);
    return subscription.ready;
  },

  publish: (channel, event, options) => channels.get(channel).publish(event, options),
  post: (path, event, options) => events.post(path, event, options),
  unsubscribe: (name) => subscriptions.get(name).unsubscribe(),
  close: (channel) => channels.get(channel).close(),

  /** The machine sleeps: when it wakes, the clock is ahead and no timer has fired. */
  sleep(seconds) {
    const { now } = Date;
    Date.now = () => now() + seconds * 1000;
  },
};

async function answer({ id, call, arguments: parameters }) {
  try {
    tell({ id, value: await calls[call](...parameters) });
  } catch (error) {
    tell({ id, error: plain(error) });
  }
}

function tell(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** An error as JSON: what `JSON.stringify` drops of an Error is what an application shows. */
function plain(error) {
  if (!(error instanceof Error)) return error;
  return { name: error.name, message: error.message, body: error.response?.body };
}

// Node 20 has no WebSocket of its own, and no application sees a keep-alive.
globalThis.WebSocket = class extends WebSocket {
  constructor(...parameters) {
    super(...parameters);
    this.addEventListener("message", ({ data }) => {
      tell({ from: "frames", next: JSON.parse(data).type });
    });
  }
};

Hub.listen("api", ({ payload: { event, data } }) => {
  if (event === "ConnectionStateChange") tell({ from: "state", next: data.connectionState });
});

for await (const line of createInterface({ input: process.stdin })) {
  void answer(JSON.parse(line)); // not awaited: calls overlap, as they do in an application
}
process.exit(); // Amplify's timers would keep it alive
