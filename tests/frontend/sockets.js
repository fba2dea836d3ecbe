/**
 * A model of the server's WebSockets: Pusher's protocol with resumption, for the world of `world.js`.
 * What two channels have missed comes in no order, and live events come in between.
 */

import { wait } from "./world.js";

const SUCCEEDED = "pusher_internal:subscription_succeeded";

/** The world's class of WebSockets. */
export function socketsOf(world) {
  return class extends ModelSocket {
    constructor(url) {
      super(world, url);
    }
  };
}

class ModelSocket {
  #world;
  #id;
  #pipe = Promise.resolve();
  #inbox = Promise.resolve();
  #channels = new Map(); // by name, the events that wait while it replays, or null
  #closed = false;

  constructor(world, url) {
    this.#world = world;
    this.#id = `${world.socketCount}.1`;
    this.url = url;
    world.socketCount += 1;
    world.sockets.add(this);
    if (world.refuseSockets) {
      world.lag().then(() => this.break(world.refuseSockets));
      return;
    }
    const established = { socket_id: this.#id, activity_timeout: 120 };
    this.#tell({ event: "pusher:connection_established", data: JSON.stringify(established) });
  }

  send(text) {
    const { event, data } = JSON.parse(text);
    this.#world.frames.push({ event, data });
    this.#inbox = this.#inbox.then(() => this.#world.lag()).then(() => !this.#closed && this.#act(event, data));
  }

  close() {
    this.#forget();
  }

  /** The network, or the server, ends it. */
  break(code = 1006) {
    if (this.#closed) return;
    this.#forget();
    this.onclose?.({ code });
  }

  carries(channel) {
    return this.#channels.get(channel) === null;
  }

  deliver(entry) {
    if (!this.#channels.has(entry.channel)) return;
    const waiting = this.#channels.get(entry.channel);
    if (waiting) waiting.push(entry);
    else this.#event(entry);
  }

  forbid(channel) {
    if (this.#channels.delete(channel)) this.#deny(channel);
  }

  /** The database was replaced under the running server. */
  reset() {
    for (const channel of this.#channels.keys()) this.#resetOf(channel, "restored");
  }

  #act(event, data) {
    if (event === "pusher:subscribe") return this.#subscribe(data);
    if (event === "pusher:unsubscribe") this.#channels.delete(data.channel);
    if (event !== "pusher:ping" || this.#world.mute === this) return;
    const level = [...this.#channels.values()].every((waiting) => waiting === null);
    this.#tell({ event: "pusher:pong", data: "{}", ...(level && { id: this.#head() }) });
  }

  async #subscribe({ channel, auth, last_event_id }) {
    if (this.#channels.has(channel)) throw new Error(`subscribed twice to ${channel}`);
    if (auth !== `k:${this.#id}:${channel}` || this.#world.forbidden.has(channel)) return this.#deny(channel);
    const from = last_event_id ? this.#world.seq(last_event_id) : this.#world.log.length;
    const lost = from < this.#world.floor;
    const missed = lost ? [] : this.#world.log.slice(from).filter((entry) => entry.channel === channel);
    this.#channels.set(channel, missed);
    this.#tell({ event: SUCCEEDED, channel, data: "{}", id: lost ? this.#head() : this.#world.id(from) });
    if (lost) this.#resetOf(channel, "pruned");
    this.#replay(channel, missed); // in the background: other channels go on meanwhile
  }

  async #replay(channel, missed) {
    await wait(this.#world.random() * this.#world.latency * 2);
    while (missed.length) {
      this.#event(missed.shift());
      if (this.#world.random() < 0.3) await this.#world.lag();
    }
    if (this.#channels.get(channel) === missed) this.#channels.set(channel, null);
  }

  #event({ seq, channel, type, data, mutation }) {
    this.#tell({ event: type, channel, data: JSON.stringify(data), id: this.#world.id(seq), mutation });
  }

  #resetOf(channel, reason) {
    this.#tell({ event: "stream-reset", channel, data: JSON.stringify({ reason }), id: this.#head() });
  }

  #deny(channel) {
    const data = { type: "AuthError", error: "No right.", status: 403 };
    this.#tell({ event: "pusher:subscription_error", channel, data });
  }

  #head() {
    return this.#world.id(this.#world.log.length);
  }

  #tell(frame) {
    this.#pipe = this.#pipe.then(() => this.#world.lag()).then(() => {
      if (!this.#closed) this.onmessage({ data: JSON.stringify(frame) });
    });
  }

  #forget() {
    this.#closed = true;
    this.#world.sockets.delete(this);
  }
}
