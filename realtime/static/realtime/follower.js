/**
 * Follows channels from a position on, for those who want to hear everything: also the events of the protocol, and the
 * position that each leads to. Whoever wants rows that are live takes `Realtime`.
 */

import { Backoff } from "./realtime/backoff.js";
import { SseConnection } from "./realtime/connection.js";
import { Http, csrfToken } from "./realtime/http.js";
import { watchPage } from "./realtime/lifecycle.js";

/**
 * @typedef {object} Ear who is told
 * @property {(event: import("./realtime/connection.js").Delivery) => void} event
 * @property {(state: "connecting"|"live"|"reconnecting"|"paused"|"ended", error?: {status?: number, message: string}) => void} state
 */

export class Follower {
  /** Up to where everything was told; null if it has yet to begin. @type {string|null} */
  position = null;
  /** What it follows, without those to which the right has ended. @type {Set<string>} */
  channels = new Set();
  state = "paused";

  #http;
  #url;
  #on;
  #connection = null;
  #backoff = new Backoff();
  #timer = 0;

  /** @param {string} url the streams', @param {Ear} on */
  constructor(url, on) {
    this.#http = new Http({ base: url, fetch: fetch.bind(globalThis), token: null, credentials: "same-origin", csrf: csrfToken });
    this.#url = new URL(url, document.baseURI).href;
    this.#on = on;
    watchPage({
      online: () => this.#wake(),
      offline: () => this.#interrupt(),
      away: () => this.#interrupt(),
      back: () => this.#wake(),
    });
  }

  /**
   * Follows these channels from now on, in place of others.
   * @param {Iterable<string>} channels
   * @param {string|null} position where to resume; null for now
   */
  follow(channels, position) {
    this.#hangUp();
    this.channels = new Set(channels);
    this.position = position;
    this.#backoff.reset();
    this.#enter("connecting");
    this.#connect();
  }

  /** Lets go, and keeps the position. */
  pause() {
    this.#hangUp();
    this.#enter("paused");
  }

  #connect() {
    this.#hangUp();
    this.#connection = new SseConnection(this.#http, this.#url, this.channels, this.position, {
      events: (connection, deliveries) => deliveries.forEach((event) => connection === this.#connection && this.#hear(event)),
      end: (connection, error) => connection === this.#connection && this.#ended(connection, error),
    });
  }

  #hear(event) {
    const { type, position } = event;
    // A stream that starts elsewhere than it was asked to is about to say why: only after that, one can resume there.
    const elsewhere = type === "stream-open" && this.position !== null && position !== this.position;
    if (position && !elsewhere) this.position = position;
    if (type === "stream-open") {
      this.#backoff.reset();
      this.#enter("live");
    }
    this.#on.event(event);
    if (type === "stream-error") this.#lose(event.message ?? {});
  }

  #lose({ channels = [], text = "" }) {
    for (const name of channels) this.channels.delete(name);
    if (this.channels.size) return;
    this.#hangUp();
    this.#enter("ended", { status: 403, message: text });
  }

  #ended(connection, error) {
    if (connection.retry !== null) this.#backoff.base = connection.retry;
    this.#connection = null;
    if (!error.temporary) return this.#enter("ended", error);
    this.#enter("reconnecting", error);
    const delay = Math.max(this.#backoff.next(), (error.retryAfter ?? 0) * 1000);
    this.#timer = setTimeout(() => this.#connect(), delay);
  }

  /** The line is broken, or nobody looks: it resumes when that is over. */
  #interrupt() {
    if (!this.#wanted) return;
    this.#hangUp();
    this.#enter("reconnecting");
  }

  #wake() {
    if (!this.#wanted) return;
    if (this.#connection) this.#connection.check();
    else this.#connect();
  }

  get #wanted() {
    return this.state !== "paused" && this.state !== "ended";
  }

  #hangUp() {
    clearTimeout(this.#timer);
    this.#connection?.close();
    this.#connection = null;
  }

  #enter(state, error) {
    this.state = state;
    this.#on.state(state, error);
  }
}
