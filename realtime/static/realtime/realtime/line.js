/**
 * The page's line to the server: which connection delivers, by which transport, and when the next one is
 * tried. One takes over from the other, make before break; `stream.js` says why that loses nothing.
 */

import { Backoff } from "./backoff.js";
import { watchPage } from "./lifecycle.js";
import { covers } from "./members.js";

/**
 * @typedef {object} Owner whom the line works for
 * @property {() => Set<string>} wanted the channels that are needed
 * @property {() => void} idle there are none
 * @property {() => import("./recordings.js").Recording} pin begins a recording, from whose position a
 *   connection is to take over
 * @property {(recording: import("./recordings.js").Recording) => void} release
 * @property {(connection: object, deliveries: import("./connection.js").Delivery[]) => void} receive
 * @property {(connection: object, error: import("./http.js").ApiError) => void} refused the server will not
 *   deliver what was asked for
 * @property {(state: string) => void} state there is a new one
 */

export class Line {
  /** connecting, open, reconnecting, closed or forbidden */
  state = "closed";
  /** The connection that delivers, or null. */
  live = null;

  #owner;
  #transports;
  #next = null; // the connection that is being opened to replace it
  #pin = null; // the recording from whose position on it does so
  #timer = null;
  #due = 0;
  #paused = false;
  #backoff = new Backoff();

  /** @param {import("./transports.js").Transports} transports @param {Owner} owner */
  constructor(transports, owner) {
    this.#transports = transports;
    this.#owner = owner;
    watchPage({
      online: () => this.#wake(),
      offline: () => this.#interrupt(),
      away: () => this.#pause(),
      back: () => this.#resume(),
    });
  }

  /** Whether these channels are delivered now, and will be by a connection that takes over. */
  carries(channels) {
    if (!this.live || !covers(this.live.channels, channels)) return false;
    return !this.#next || covers(this.#next.channels, channels);
  }

  /** Has the connection replaced by what is wanted then, unless it is. */
  schedule(delay) {
    const due = Date.now() + delay;
    if (this.#timer !== null && this.#due <= due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#open();
    }, delay);
  }

  /** As `schedule`, after what has gone wrong. */
  retry() {
    this.schedule(this.#backoff.next());
  }

  /** What has gone wrong so far does not delay the next attempts. */
  forgive() {
    this.#backoff.reset();
  }

  /** A connection that was being opened is open: it takes over. Whether it was that one. */
  opened(connection) {
    if (connection !== this.#next || !this.#begins) return false;
    this.live?.close();
    this.live = this.#undial();
    this.#backoff.reset();
    return true;
  }

  /** After `opened`, once everybody knows. */
  settle() {
    this.#enter("open");
    if (!this.#suits(this.live, this.#owner.wanted())) this.schedule(0);
  }

  stop(state) {
    this.#hangUp();
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#enter(state);
  }

  #open() {
    if (this.#paused) return;
    const wanted = this.#owner.wanted();
    if (!wanted.size) return this.#owner.idle();
    if (this.#next && this.#leadsTo(wanted)) return;
    const former = this.#undial();
    if (!this.#suits(this.live, wanted)) this.#dial(wanted);
    former?.close(); // only now: they may share a WebSocket
  }

  /** Whether what is being opened begins where it is needed, and not anywhere though there is a position now. */
  get #begins() {
    return this.#next.position !== null || this.#pin.position === null;
  }

  /** Whether what is being opened will do. */
  #leadsTo(wanted) {
    const { transport, channels } = this.#next;
    return transport === this.#transports.choice && covers(channels, wanted) && this.#begins;
  }

  #dial(channels) {
    this.#pin = this.#owner.pin();
    this.#next = this.#transports.connect(channels, this.#pin.position, {
      events: (connection, deliveries) => this.#owner.receive(connection, deliveries),
      end: (connection, error) => this.#ended(connection, error),
    });
    if (!this.live && this.state !== "reconnecting") this.#enter("connecting");
  }

  /** The connection that was being opened, and is no more. */
  #undial() {
    const former = this.#next;
    this.#next = null;
    if (this.#pin) this.#owner.release(this.#pin);
    this.#pin = null;
    return former;
  }

  /** Whether a connection is what is wanted. */
  #suits(connection, wanted) {
    if (connection?.transport !== this.#transports.choice) return false;
    return connection.channels.size === wanted.size && covers(connection.channels, wanted);
  }

  #ended(connection, error) {
    if (connection.retry !== null) this.#backoff.base = connection.retry;
    this.#transports.ended(connection, error);
    if (connection === this.live) this.live = null;
    else if (connection !== this.#next) return;
    else {
      this.#undial();
      if (!error.temporary) return this.#owner.refused(connection, error);
      // Perhaps there is no room for two streams, here or there. The position is safe.
      if (connection.transport === "sse" && this.live?.transport === "sse") this.#hangUp();
    }
    if (!this.live && this.#owner.wanted().size) this.#enter("reconnecting");
    if (this.#next) return;
    const fallsBack = connection.transport !== this.#transports.choice;
    this.schedule(fallsBack ? 0 : Math.max(this.#backoff.next(), (error.retryAfter ?? 0) * 1000));
  }

  /** Lets the connections go, to resume by and by. */
  #interrupt() {
    this.#hangUp();
    if (!this.#owner.wanted().size) return;
    this.#enter("reconnecting");
    this.retry();
  }

  #hangUp() {
    for (const connection of [this.live, this.#undial()]) connection?.close();
    this.live = null;
  }

  #wake() {
    if (this.#owner.wanted().size && !this.live) this.schedule(0);
    this.live?.check();
  }

  #pause() {
    this.#paused = true;
    this.#interrupt();
  }

  #resume() {
    this.#paused = false;
    this.#wake();
  }

  #enter(state) {
    if (state === this.state) return;
    this.state = state;
    this.#owner.state(state);
  }
}
