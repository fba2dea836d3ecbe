/**
 * A model of the server, for tests of the client: a log, rows in lists, rights, REST and streams over
 * a network that delays, cuts and breaks. Deterministic but for the timing.
 */

import { socketsOf } from "./sockets.js";

export const BASE = `${location.origin}/model/`;

/** Mulberry32: a small seeded generator. */
export function dice(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  };
}

export const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Resolves when the condition holds, rejects when it doesn't within the time. */
export async function until(condition, what, milliseconds = 40_000) {
  const end = Date.now() + milliseconds;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`in vain: ${what()}`);
    await wait(5);
  }
}

export class World {
  rows = new Map();
  log = [];
  floor = 0;
  streams = new Set();
  mostStreams = 0;
  sockets = new Set();
  socketCount = 0;
  /** What clients have sent by WebSockets. */
  frames = [];
  /** The code with which WebSockets are closed instead of being opened. */
  refuseSockets = 0;
  /** A WebSocket whose pings stay without an answer. */
  mute = null;
  requests = [];
  forbidden = new Set();
  latency = 4;
  pageSize = 3;
  /** Answers instead of the world where it returns a Response. */
  intercept = () => null;
  #next = 1;
  #secret;

  constructor(seed = 1) {
    this.random = dice(seed);
    this.#secret = Math.floor(this.random() * 1e6);
    this.fetch = (url, options) => this.#fetch(new URL(url), options);
  }

  /** What a client needs to know of it. */
  options(transport = "sse") {
    const websocket = { key: "k", url: `${BASE}app`, auth: `${BASE}pusher/auth` };
    return { base: BASE, fetch: this.fetch, token: "secret", transport, websocket, WebSocket: socketsOf(this) };
  }

  /** All open connections. */
  get connections() {
    return [...this.streams, ...this.sockets];
  }

  // Ids grow and shrink: whoever compares them is wrong.
  id(seq) {
    return `${((seq * 7919 + this.#secret) % 100003).toString(36)}-${seq}`;
  }

  seq(id) {
    return Number(id.split("-")[1]);
  }

  list(number) {
    const rows = [...this.rows.values()].filter((row) => row.list === number);
    return rows.sort((one, other) => one.place - other.place || one.id - other.id);
  }

  append(list, action, data, mutation) {
    const seq = this.log.length + 1;
    const channel = `private-list.${list}`;
    const entry = { seq, channel, type: `row.${action}`, data: { ...data }, mutation };
    this.log.push(entry);
    for (const connection of this.connections) connection.deliver(entry);
    return entry;
  }

  create(data, mutation) {
    const row = { text: "", place: 0, ...data, id: this.#next };
    this.#next += 1;
    this.rows.set(row.id, row);
    this.append(row.list, "created", row, mutation);
    return row;
  }

  update(id, data, mutation) {
    const old = this.rows.get(id);
    const row = { ...old, ...data };
    if (JSON.stringify(row) === JSON.stringify(old)) return row;
    this.rows.set(id, row);
    if (row.list === old.list) this.append(row.list, "updated", row, mutation);
    else {
      this.append(old.list, "left", { id }, mutation);
      this.append(row.list, "entered", row, mutation);
    }
    return row;
  }

  delete(id, mutation) {
    const row = this.rows.get(id);
    this.rows.delete(id);
    this.append(row.list, "deleted", { id }, mutation);
  }

  forbid(channel) {
    this.forbidden.add(channel);
    for (const connection of this.connections) connection.forbid(channel);
  }

  lag() {
    return wait(this.random() * this.latency);
  }

  async #fetch(url, options = {}) {
    const method = options.method ?? "GET";
    const path = url.pathname.slice(new URL(BASE).pathname.length);
    const request = { method, path, url, headers: options.headers };
    this.requests.push(request);
    await this.lag();
    options.signal?.throwIfAborted();
    const answer = this.intercept(request);
    if (answer) return answer;
    if (path === "events/") return this.#events(url, options);
    if (path === "pusher/auth") return this.#sign(options.body);
    if (method === "GET") return this.#read(url);
    return this.#write(method, path, options);
  }

  async #read(url) {
    const position = this.id(this.log.length);
    await this.lag();
    const list = Number(url.searchParams.get("list"));
    const offset = Number(url.searchParams.get("offset") ?? 0);
    const rows = this.list(list).map((row) => ({ ...row }));
    const results = rows.slice(offset, offset + this.pageSize);
    url.searchParams.set("offset", offset + this.pageSize);
    const next = offset + this.pageSize < rows.length ? url.href : null;
    await this.lag();
    const stream = `${BASE}events/?channel=private-list.${list}`;
    const link = `<${stream}>; rel="stream"; last-event-id="${position}"`;
    return json(200, { count: rows.length, next, previous: null, results }, { Link: link });
  }

  async #write(method, path, options) {
    const id = Number(path.split("/")[1]);
    const mutation = options.headers["X-Mutation-ID"];
    const data = options.body && JSON.parse(options.body);
    if (method !== "POST" && !this.rows.has(id)) return json(404, { detail: "Not found." });
    if (data?.text === "refuse") return json(400, { text: ["This is refused."] });
    let row = null;
    if (method === "POST") row = this.create(data, mutation);
    else if (method === "PATCH") row = this.update(id, data, mutation);
    else this.delete(id, mutation);
    row &&= { ...row };
    await this.lag();
    return row ? json(method === "POST" ? 201 : 200, row) : new Response(null, { status: 204 });
  }

  #sign(form) {
    const [socket, channel] = [form.get("socket_id"), form.get("channel_name")];
    if (this.forbidden.has(channel)) return json(403, { detail: "No right." });
    return json(200, { auth: `k:${socket}:${channel}` });
  }

  #events(url, { headers, signal }) {
    const channels = new Set(url.searchParams.getAll("channel"));
    for (const name of channels) {
      if (this.forbidden.has(name)) return json(403, { detail: "No right." });
    }
    if (headers.Accept === "application/json") return this.#page(channels, headers["Last-Event-ID"]);
    return new ModelStream(this, channels, headers["Last-Event-ID"], signal).response;
  }

  #page(channels, lastEventId) {
    const from = this.seq(lastEventId);
    if (from < this.floor) {
      const reset = { channels: [...channels], reason: "pruned" };
      return json(200, { last_event_id: this.id(this.log.length), reset, events: [] });
    }
    const found = this.log.slice(from).filter(({ channel }) => channels.has(channel)).slice(0, this.pageSize);
    const upto = found.length < this.pageSize ? this.log.length : found.at(-1).seq;
    const events = found.map(({ seq, type, channel, data, mutation }) => {
      return { id: this.id(seq), event: type, data: { channel, data, mutation } };
    });
    return json(200, { last_event_id: this.id(upto), reset: null, events });
  }
}

class ModelStream {
  #world;
  #channels;
  #pipe = Promise.resolve();
  #closed = false;

  constructor(world, channels, lastEventId, signal) {
    this.#world = world;
    this.#channels = channels;
    const head = world.log.length;
    const from = lastEventId ? world.seq(lastEventId) : head;
    const lost = from < world.floor;
    const body = new ReadableStream({ start: (controller) => (this.controller = controller) });
    this.response = new Response(body, { headers: { "Content-Type": "text/event-stream" } });
    signal?.addEventListener("abort", () => this.break());
    world.streams.add(this);
    world.mostStreams = Math.max(world.mostStreams, world.streams.size);
    const start = world.id(lost ? head : from);
    this.#send(`retry: 1\nid: ${start}\nevent: stream-open\ndata: {}\n\n`);
    if (lost) this.#tell("stream-reset", { channels: [...channels], reason: "pruned" }, start);
    else for (const entry of world.log.slice(from)) this.deliver(entry);
  }

  carries(channel) {
    return this.#channels.has(channel);
  }

  deliver({ seq, channel, type, data, mutation }) {
    if (!this.#channels.has(channel)) return;
    this.#tell(type, { channel, data, mutation }, this.#world.id(seq));
  }

  forbid(channel) {
    if (!this.#channels.delete(channel)) return;
    this.#tell("stream-error", { condition: "forbidden", text: "No right.", channels: [channel] });
  }

  keepAlive() {
    this.#send(`id: ${this.#world.id(this.#world.log.length)}\nevent: keep-alive\ndata:\n\n`);
  }

  break() {
    if (this.#closed) return;
    this.#closed = true;
    this.#world.streams.delete(this);
    this.controller.error(new TypeError("network error"));
  }

  #tell(type, data, id) {
    this.#send(`${id ? `id: ${id}\n` : ""}event: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** In order, late, and in pieces. */
  #send(text) {
    const bytes = new TextEncoder().encode(text);
    const cut = Math.floor(this.#world.random() * bytes.length);
    for (const piece of [bytes.slice(0, cut), bytes.slice(cut)]) {
      this.#pipe = this.#pipe.then(() => this.#world.lag()).then(() => {
        if (!this.#closed && piece.length) this.controller.enqueue(piece);
      });
    }
  }
}

export function json(status, data, headers = {}) {
  return new Response(JSON.stringify(data), {
    status,
    headers: { "Content-Type": "application/json", ...headers },
  });
}
