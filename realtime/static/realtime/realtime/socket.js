/**
 * One WebSocket that speaks Pusher's protocol, version 7: handshake, frames, signatures, liveness.
 *
 * Connections that take over from each other share it: a further channel needs no further WebSocket.
 * A channel is not left before the server has answered its subscription: so each answer belongs to one
 * request.
 */

import { ApiError } from "./http.js";
import { byteLength } from "./sse.js";

/** One that is not established after this long is given up. */
const PATIENCE = 8_000;
/** After this much silence the server is asked for a sign of life, which also says how far it has got. */
const QUIET = 15_000;
/** How long that may take. */
const ANSWER = 20_000;
const PRIVATE = /^(private|presence)-/;

/**
 * @typedef {object} User a connection by this socket
 * @property {(name: string) => boolean} wants whether it needs a channel
 * @property {() => void} established
 * @property {(name: string, position: string, frame: object) => void} subscribed from this position on all of the
 *   channel comes; the frame has the members, if the channel shows them
 * @property {(name: string, error: ApiError) => void} refused
 * @property {(frame: object) => void} receive an event of a channel
 * @property {(position: string) => void} level all channels' events up to here have come
 * @property {(position: string|null) => void} answered the same, as the answer to its own ping; null while
 *   not all of them have
 * @property {(error: ApiError) => void} ended
 */

export class Socket {
  /** The name by which the server knows it; null before it is established. */
  id = null;
  /** Where the first of its subscriptions began; null before that. */
  start = null;

  #http;
  #auth;
  #socket;
  #users = new Set();
  #channels = new Map(); // by name, whether the server has answered the subscription
  #pings = []; // who has asked; the answers come in the same order
  #timer = 0;
  #heard = Date.now();
  #over = false;

  /**
   * @param {import("./http.js").Http} http
   * @param {object} options
   * @param {string} options.url
   * @param {string} options.auth
   * @param {typeof WebSocket} options.WebSocket
   */
  constructor(http, { url, auth, WebSocket }) {
    this.#http = http;
    this.#auth = auth;
    this.#socket = new WebSocket(url);
    this.#socket.onmessage = ({ data }) => this.#hear(data);
    this.#socket.onclose = ({ code }) => this.#end(failure(code));
    this.#timer = setTimeout(() => this.#end(failure(1006)), PATIENCE);
  }

  /** Whether connections can be made by it. */
  get usable() {
    return !this.#over;
  }

  /** @param {User} user */
  join(user) {
    this.#users.add(user);
    // Not at once: whoever joins has yet to be told what it has joined.
    if (this.id) queueMicrotask(() => this.#users.has(user) && user.established());
  }

  /** @param {User} user */
  leave(user) {
    this.#users.delete(user);
    if (this.#users.size) this.#tidy();
    else this.#end(null);
  }

  /** Whether a channel comes by this socket: true, false, or undefined if that is on its way. */
  carries(name) {
    return this.#channels.has(name) ? this.#channels.get(name) || undefined : false;
  }

  /** Subscribes to a channel that it does not carry. @param {string|null} position where to resume */
  async subscribe(name, position) {
    this.#channels.set(name, false);
    try {
      const signature = PRIVATE.test(name) ? await this.#sign(name) : { auth: "" };
      this.#send("pusher:subscribe", { ...signature, channel: name, ...(position && { last_event_id: position }) });
    } catch (error) {
      // An endpoint that is not there, or answers nonsense, is no refusal.
      const clear = error instanceof ApiError && (error.temporary || forbids(error));
      this.#refuse(name, clear ? error : new ApiError(0));
    }
  }

  /**
   * Asks how far the server has got, for a user who wants to know when everything up to a position has come.
   * @param {User|null} user
   * @param {string|null} position
   */
  ping(user = null, position = null) {
    if (this.#over || !this.id) return;
    this.#pings.push(user);
    this.#send("pusher:ping", position ? { last_event_id: position } : {});
  }

  /** Ends it if it has been silent for too long: timers stand still while a machine sleeps. */
  check() {
    if (Date.now() - this.#heard > QUIET + ANSWER) this.#end(failure(1006));
  }

  async #sign(name) {
    const { data } = await this.#http.post(this.#auth, { socket_id: this.id, channel_name: name });
    const { auth, channel_data } = data ?? {};
    return channel_data === undefined ? { auth } : { auth, channel_data };
  }

  #send(event, data) {
    if (!this.#over && this.id) this.#socket.send(JSON.stringify({ event, data }));
  }

  #hear(text) {
    if (this.#over) return;
    this.#heard = Date.now();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#doubt(), QUIET);
    const frame = parse(text);
    if (typeof frame?.event !== "string") return;
    try {
      this.#act({ ...frame, data: parse(frame.data), size: byteLength(text) });
    } catch (mistake) {
      reportError(mistake); // a mistake in the page is no broken line
    }
  }

  #act(frame) {
    const { event, channel, data, id } = frame;
    if (event === "pusher:connection_established") this.#established(data);
    else if (event === "pusher:ping") this.#send("pusher:pong", {});
    else if (event === "pusher:pong") this.#level(id ?? null);
    else if (event === "pusher:error") this.#error(data);
    else if (event === "pusher_internal:subscription_succeeded") this.#subscribed(channel, id ?? "", frame);
    else if (event === "pusher:subscription_error") this.#refuse(channel, refusal(data));
    else if (channel !== undefined) this.#tell((user) => user.receive(frame));
  }

  #established({ socket_id }) {
    this.id = socket_id;
    this.#tell((user) => user.established());
  }

  #subscribed(name, position, frame) {
    this.#channels.set(name, true);
    this.start ??= position;
    if (!this.#wanted(name)) return this.#tidy();
    this.#tell((user) => user.subscribed(name, position, frame));
  }

  #refuse(name, error) {
    if (!this.#channels.delete(name)) return;
    this.#tell((user) => user.refused(name, error));
  }

  #level(position) {
    const asked = this.#pings.shift();
    if (position) this.#tell((user) => user.level(position));
    if (this.#users.has(asked)) asked.answered(position);
  }

  /** Before the handshake, an error is as good as a close with its code. */
  #error({ code }) {
    if (!this.id) this.#end(failure(code));
  }

  #doubt() {
    this.ping();
    this.#timer = setTimeout(() => this.#end(failure(1006)), ANSWER);
  }

  /** Leaves the channels that nobody needs any more. */
  #tidy() {
    for (const [name, answered] of this.#channels) {
      if (!answered || this.#wanted(name)) continue;
      this.#channels.delete(name);
      this.#send("pusher:unsubscribe", { channel: name });
    }
  }

  #wanted(name) {
    return [...this.#users].some((user) => user.wants(name));
  }

  #tell(what) {
    for (const user of [...this.#users]) if (this.#users.has(user)) what(user);
  }

  #end(error) {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#socket.close();
    if (error) this.#tell((user) => user.ended(error));
  }
}

/** Why a WebSocket is over. By codes from 4100 on the server asks for another attempt after a second. */
function failure(code) {
  const wait = code >= 4100 && code < 4200 ? 1 : null;
  return Object.assign(new ApiError(0, null, wait), { code });
}

/** What the server has against a subscription, as REST would say it. */
function refusal(data) {
  return new ApiError(forbids(data ?? {}) ? 403 : 400, { detail: data?.error });
}

function forbids({ status }) {
  return status === 401 || status === 403;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
