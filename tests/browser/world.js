// A world for static/js/link.js without a server and without waiting: time passes when a test says so, and sockets do
// what it tells them.

globalThis.World = class World {
  now = 0;
  chance = 0.5;
  timers = new Map();
  sockets = [];
  window = new EventTarget();
  document = Object.assign(new EventTarget(), { hidden: false });
  target = new EventTarget();
  told = []; // [event, milliseconds, what it says]
  #count = 0;

  constructor() {
    const tell = (type, say) =>
      this.target.addEventListener(type, (event) => this.told.push([type, this.now, say(event.detail)]));
    tell("lb:state", (detail) => detail.state);
    tell("lb:update", (detail) => detail.snapshot.version);
    tell("lb:round", (detail) => detail.round.state);
  }

  get environment() {
    const world = this;
    return {
      now: () => this.now,
      random: () => this.chance,
      window: this.window,
      document: this.document,
      setTimeout: (run, ms) => {
        this.timers.set((this.#count += 1), { at: this.now + Math.max(0, ms), run });
        return this.#count;
      },
      clearTimeout: (id) => this.timers.delete(id),
      WebSocket: class {
        sent = [];
        closed = false;
        opened = world.now;
        constructor(url, protocols) {
          Object.assign(this, { url, protocols });
          world.sockets.push(this);
        }
        send(text) {
          this.sent.push(JSON.parse(text));
        }
        close() {
          this.closed = true;
        }
        // -- what the server does
        say(...frames) {
          for (const frame of frames) this.onmessage?.({ data: JSON.stringify(frame) });
        }
        accept(promised = 300_000) {
          this.onopen?.();
          this.say({ type: "connection_ack", ...(promised && { connectionTimeoutMs: promised }) });
        }
        break(code = 1006, reason = "") {
          this.onclose?.({ code, reason });
        }
        /** What was sent, without the credentials. */
        said(type) {
          return this.sent
            .filter((frame) => frame.type === type)
            .map(({ authorization, ...rest }) => rest);
        }
      },
    };
  }

  get socket() {
    return this.sockets.at(-1);
  }

  /** Lets time pass, timers firing in order. */
  pass(ms) {
    const end = this.now + ms;
    for (;;) {
      const due = [...this.timers].filter(([, timer]) => timer.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      this.timers.delete(due[0]);
      this.now = Math.max(this.now, due[1].at);
      due[1].run();
    }
    this.now = end;
  }

  /** What becomes of a link, made by `connect`, in a play of tests/link_facts.py. */
  async play(connect, steps) {
    this.chance = 1;
    const link = connect({ url: "http://scores.example", key: "k", target: this.target, environment: this.environment });
    const found = { publishes: [], ended: [], seen: [], looks: [] };
    const waiting = () => {
      if (this.socket.closed) throw new Error(`nobody dials at ${this.now} ms`);
      return this.socket;
    };
    let socket = this.socket;
    const does = {
      accept: (promised) => (socket = waiting()).accept(promised),
      open: () => (socket = waiting()).onopen(),
      fail: () => waiting().break(),
      say: (frame) => socket.say(frame),
      snapshot: (id, members) => socket.say(World.data(id, World.snapshot(members.version, members))),
      mutter: (text) => socket.onmessage({ data: text }),
      break: (code, reason) => socket.break(code ?? undefined, reason),
      pass: (ms) => this.pass(ms),
      publish: (channel, event) => {
        const at = found.publishes.push(null) - 1;
        const settle = (outcome) => (found.publishes[at] = outcome);
        link.publish(channel, event).then(() => settle("ok"), (error) => settle(error.name));
      },
      subscribe: (channel) => {
        const at = found.ended.push(null) - 1;
        const take = (snapshot) => found.seen.push([snapshot.version, snapshot.reset ?? false]);
        link.subscribe(channel, { top: 3 }, take, (error, again) => again || (found.ended[at] = error.name));
      },
      look: () => found.looks.push([...found.publishes]),
      close: () => link.close(),
    };
    const settled = () => new Promise((resolve) => setTimeout(resolve));
    for (const [verb, ...given] of steps) {
      await settled();
      does[verb](...given);
    }
    await settled();
    return {
      ...found,
      states: this.heard("lb:state").map(([at, state]) => [at, state]),
      dials: this.sockets.map((each) => each.opened),
      said: socket.sent.map(({ type, id }) => (id ? `${type} ${id}` : type)),
    };
  }

  /** What pages were told under one name. */
  heard(type) {
    return this.told.filter(([name]) => name === type).map(([, at, what]) => [at, what]);
  }

  static snapshot(version, members = {}) {
    return {
      type: "snapshot",
      channel: "/leaderboard/a",
      epoch: "e1",
      version,
      round: { number: 1, state: "open", frozen: false, props: {} },
      total: 0,
      rows: [],
      ...members,
    };
  }

  static data(id, event) {
    return { type: "data", id, event: JSON.stringify(event) };
  }
};
