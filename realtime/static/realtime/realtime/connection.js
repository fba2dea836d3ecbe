/**
 * One HTTP request for a stream of Server-Sent Events, from its opening to its end.
 *
 * It is read with fetch and not with EventSource, because only fetch can send an `Authorization`
 * header, tells a refusal (401, 403, 429) from a failure, and lets the page resume from the position
 * that a snapshot named. What EventSource does beyond that (parsing, reconnection) is done here and in
 * `stream.js`.
 */

import { ApiError } from "./http.js";
import { SseParser } from "./sse.js";

/** The server sends something at least every 15 s; after two that are missing the line is dead. */
const SILENCE = 35_000;
/** A stream that has not begun after this long is given up. */
const PATIENCE = 15_000;

/**
 * @typedef {object} Delivery what a connection of either transport hands to the stream
 * @property {string} type a change's, or one of the protocol's: stream-open, stream-reset, …
 * @property {object|null} message
 * @property {string|null} id the event's own; null if it is in no log
 * @property {string} position where to resume after it; "" if it says nothing of that
 * @property {number} [size] its bytes on the line
 */

export class SseConnection {
  transport = "sse";
  #abort = new AbortController();
  #parser = new SseParser();
  #watchdog = 0;
  #heard = Date.now();
  #over = false;

  /**
   * @param {import("./http.js").Http} http
   * @param {string} url
   * @param {Set<string>} channels
   * @param {string|null} position where to resume
   * @param {object} on
   * @param {(connection: SseConnection, deliveries: Delivery[]) => void} on.events
   * @param {(connection: SseConnection, error: ApiError) => void} on.end called once, but not by `close`
   */
  constructor(http, url, channels, position, on) {
    this.channels = channels;
    this.position = position;
    this.#run(http, url, on);
  }

  /** What the server asked for as reconnection delay, in milliseconds, or null. */
  get retry() {
    return this.#parser.retry;
  }

  /** Ends it without a word to anybody. */
  close() {
    this.#over = true;
    clearTimeout(this.#watchdog);
    this.#abort.abort();
  }

  /** Ends it if it has been silent for too long: timers stand still while a machine sleeps. */
  check() {
    if (Date.now() - this.#heard > SILENCE) this.#abort.abort();
  }

  async #run(http, url, on) {
    let error = new ApiError(0);
    try {
      await this.#read(http, url, on);
    } catch (failure) {
      // Whatever else fetch and its body reject with means that the line broke, or was given up.
      if (failure instanceof ApiError) error = failure;
    }
    if (this.#over) return;
    this.close();
    on.end(this, error);
  }

  async #read(http, url, on) {
    this.#expect(PATIENCE);
    const body = await request(http, url, this.channels, this.position, this.#abort.signal);
    const reader = body.getReader();
    for (;;) {
      this.#expect(SILENCE);
      const { value, done } = await reader.read();
      if (done || this.#over) return;
      const events = this.#parser.push(value);
      try {
        if (events.length) on.events(this, events.map(delivery));
      } catch (mistake) {
        reportError(mistake); // a mistake in the page is no broken line
      }
    }
  }

  #expect(milliseconds) {
    this.#heard = Date.now();
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#abort.abort(), milliseconds);
  }
}

/** Whether the server would open a stream on these channels; asks, and hangs up. */
export async function isAllowed(http, url, channels) {
  const abort = new AbortController();
  try {
    await request(http, url, channels, null, abort.signal);
    return true;
  } catch (error) {
    return error.status !== 403;
  } finally {
    abort.abort();
  }
}

async function request(http, url, channels, position, signal) {
  const target = new URL(url);
  for (const channel of channels) target.searchParams.append("channel", channel);
  const headers = { Accept: "text/event-stream", ...http.headers() };
  if (position) headers["Last-Event-ID"] = position;
  const response = await http.fetch(target.href, {
    headers,
    signal,
    credentials: http.credentials,
    cache: "no-store",
  });
  if (!response.ok) throw await ApiError.from(response);
  if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) throw new ApiError(0);
  return response.body;
}

function delivery({ type, data, lastEventId, identified, size }) {
  return { type, message: parse(data), id: identified ? lastEventId : null, position: lastEventId, size };
}

function parse(data) {
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}
