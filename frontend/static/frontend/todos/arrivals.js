/** What comes by the line, remembered: the last few, with their size and delay. */

import { Emitter } from "../../realtime/realtime/emitter.js";
import { Clock } from "./clock.js";

/** How many are remembered, and how much of each. */
export const LIMIT = 200;
const LENGTH = 4_000;
const NOW = () => performance.now();

/**
 * @typedef {object} Arrival
 * @property {number} number
 * @property {Date} time
 * @property {string} type
 * @property {string} channel
 * @property {string|null} id
 * @property {number|null} size in bytes
 * @property {"sse"|"websocket"} transport
 * @property {boolean} repeated whether it had come before, by a connection that was replaced, and was passed over
 * @property {{milliseconds: number, error: number}|null} delay from its writing until it was shown
 * @property {string} text
 */

/** Emits `arrival`, and `clear`. */
export class Arrivals extends Emitter {
  /** Oldest first. @type {Arrival[]} */
  all = [];
  #clock = new Clock();
  #count = 0;
  #openedAt = -Infinity;
  #catchingUp = false;
  #own = new Map(); // by mutation: when this page's write was sent and answered, or when the server wrote it

  /** @param {import("../../realtime/realtime.js").Realtime} client */
  constructor(client) {
    super();
    client.http.observe = (answer) => this.#observe(answer);
    client.stream.on("arrival", (arrival) => this.#note(arrival));
  }

  clear() {
    this.all = [];
    this.emit("clear");
  }

  #observe({ response, data, method, mutation, sent, received }) {
    const created = method === "POST" ? Date.parse(data?.created_at) : NaN;
    this.#clock.answered(sent, received, Date.parse(response.headers.get("Date")), created);
    if (mutation) this.#meet(mutation, { sent, received });
  }

  /** An answer and an event of the same write: what it wrote was written between request and answer. */
  #meet(mutation, half) {
    const both = { ...this.#own.get(mutation), ...half };
    if ("sent" in both && "written" in both) this.#clock.answered(both.sent, both.received, NaN, both.written);
    this.#own.set(mutation, both);
    if (this.#own.size > LIMIT) this.#own.delete(this.#own.keys().next().value);
  }

  #note({ type, message, id, size, repeated, transport }) {
    const received = NOW();
    if (type === "stream-open") this.#open(received);
    const written = repeated ? NaN : writing(type, message);
    if (!Number.isNaN(written)) {
      this.#clock.heard(written, received);
      if (message.mutation) this.#meet(message.mutation, { written });
    }
    const text = JSON.stringify(message ?? {}, null, 1);
    const arrival = { number: (this.#count += 1), time: new Date(), type, channel: message?.channel ?? "", id, size, transport, repeated };
    Object.assign(arrival, { delay: null, text: text.length > LENGTH ? `${text.slice(0, LENGTH)}…` : text });
    const missed = this.#catchingUp || this.#isFromBefore(written, this.#openedAt);
    // It is shown when the browser has painted what the page has made of it; a hidden page paints nothing.
    const shown = () => {
      const now = NOW();
      arrival.delay = missed || isAsleep(now - received) ? null : this.#clock.since(written, now);
      this.all = [...this.all, arrival].slice(-LIMIT);
      this.emit("arrival", arrival);
    };
    if (document.hidden) shown();
    else requestAnimationFrame(() => setTimeout(shown));
  }

  /** What comes at once with the opening was missed before it. */
  #open(now) {
    this.#openedAt = now;
    this.#catchingUp = true;
    queueMicrotask(() => (this.#catchingUp = false));
  }

  /** Whether it was surely written before the line was open: it was missed, and came later. */
  #isFromBefore(written, opened) {
    const before = this.#clock.since(written, opened);
    return before !== null && before.milliseconds > before.error;
  }
}

/** When a change was written, by the server's clock: shortly before it was committed. */
function writing(type, message) {
  if (type.endsWith(".created")) return Date.parse(message?.data?.created_at);
  return type.endsWith(".updated") ? Date.parse(message?.data?.updated_at) : NaN;
}

/** A page that was asleep between an event and its painting says nothing about delays. */
function isAsleep(waited) {
  return waited > 5_000;
}
