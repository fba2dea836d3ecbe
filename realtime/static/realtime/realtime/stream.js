/**
 * The page's one stream: many subscriptions, one connection, no gap when channels change.
 *
 * Why nothing is lost, repeated, or left in an old state
 * ------------------------------------------------------
 * Ids are opaque: two can be equal, but nothing says which is the older. What is known comes from
 * the order in which this page did things: **what was received before a request was sent is not newer
 * than the position in its answer**, since the log only grows and the server reads the position anew.
 *
 * 1. A snapshot is asked for while a *recording* runs. The recording was begun at the stream's
 *    position R and holds each event delivered since. The answer brings rows and their position Q;
 *    R <= Q by the rule above.
 * 2. If the open connection carries the snapshot's channels, then what came after Q is in the recording
 *    or still to come: the recorded events are applied to the rows, then the live ones.
 * 3. If not, a second connection for the old and the new channels is opened, resuming from R, while
 *    the first goes on (make before break: a refusal harms nobody). As R <= Q, it brings all that the new
 *    subscription lacks, in the log's order. Once it is open the first is closed. To the old
 *    subscriptions it repeats what they have got since R; each skips that by its ids: nothing twice, and
 *    since both connections deliver in the log's order, nothing lost in between.
 *    R is that of the oldest recording of all, so that it suits every load that is under way; their
 *    recordings start anew with the second connection, whose repetitions they need, and so are always
 *    the deliveries of one connection, in the log's order. A subscription that was attached by 2 keeps
 *    in mind what was delivered between R and its own recording: it is in its rows, whatever comes again.
 * 4. Events between R and Q are older than the rows. They are whole objects, the last one of an object
 *    is the state that the row has, and it is on its way already: applying them in order ends where the
 *    rows are. All events of one network chunk are handed over together, so that no older state is
 *    painted; if Q itself is among the first of them, everything up to it is dropped instead.
 * 5. Without any position (first load of the page) the stream starts at Q, exactly. Then loads take
 *    turns, because between two first positions nothing says which is older. Who subscribes without a
 *    snapshot waits for nobody, and nobody for him: a connection may begin wherever the server is then. If
 *    Q comes while it is being opened, another one is, from Q; if it comes after, it may be older than
 *    where that began, and the snapshot is taken anew.
 * 6. The transport can be changed by 3, too: a connection of the other one, resuming from R, takes over.
 * 7. A lost connection resumes from the last id. If the server can't, it says `stream-reset`, and
 *    each subscription concerned loads anew by 1 and 2.
 */

import { isAllowed } from "./connection.js";
import { Emitter } from "./emitter.js";
import { ApiError } from "./http.js";
import { Line } from "./line.js";
import { Member, Members } from "./members.js";
import { Recordings } from "./recordings.js";
import { Seen } from "./seen.js";
import { Transports } from "./transports.js";

/** Channels nobody needs any more are left after a while, in one go with whatever else changes. */
const SHRINK_DELAY = 1000;

/**
 * @typedef {object} Change one event of a stream
 * @property {string} type as "todo-item.updated"
 * @property {string} channel
 * @property {any} data
 * @property {string[]} [changed]
 * @property {string} [mutation]
 * @property {string|null} id null if it is in no log
 */

/** Emits `state`, `open`, `message`, `reset` and `error`; and `arrival`, whatever comes by the line. */
export class Stream extends Emitter {
  #http;
  #url;
  #transports;
  #line;
  #position = null;
  #members = new Members();
  #recordings = new Recordings();
  #seen = new Seen();

  /**
   * @param {import("./http.js").Http} http
   * @param {string} url
   * @param {object} transports see `Transports`
   */
  constructor(http, url, transports) {
    super();
    this.#http = http;
    this.#url = url;
    this.#transports = new Transports(http, url, transports, () => this.#line.schedule(0));
    this.#line = new Line(this.#transports, {
      wanted: () => this.#members.channels(),
      idle: () => this.#stop(this.state === "forbidden" ? "forbidden" : "closed"),
      pin: () => this.#recordings.pin(this.#position),
      release: (recording) => this.release(recording),
      receive: (connection, deliveries) => this.#receive(connection, deliveries),
      refused: (connection, error) => this.#refused(connection, error),
      state: (state) => this.emit("state", state),
    });
  }

  /** connecting, open, reconnecting, closed or forbidden */
  get state() {
    return this.#line.state;
  }

  /** Where to resume; null before there is any. @returns {string|null} */
  get position() {
    return this.#position;
  }

  /** What delivers now: "sse", "websocket", or null. */
  get transport() {
    return this.#line.live?.transport ?? null;
  }

  /** Changes to another transport; what is live goes on until the other one takes over. */
  use(transport) {
    this.#transports.use(transport);
    this.#line.forgive();
    if (this.#members.size) this.#line.schedule(0);
  }

  /** Begins a recording; `release` it. The very first waits until it alone can set the start. */
  record() {
    return this.#recordings.begin(() => this.#position);
  }

  release(recording) {
    this.#recordings.release(recording);
  }

  /**
   * Subscribes, or changes the channels of a subscription.
   * @param {import("./members.js").Subscription} subscription
   * @param {import("./recordings.js").Recording} recording begun before the snapshot was asked for; it will be released
   * @param {string|null} position the snapshot's; null to begin now
   */
  join(subscription, recording, position) {
    const member = new Member(subscription, recording, position);
    this.leave(subscription); // what it waited for, it may not wait for any more
    this.#members.set(subscription, member);
    this.#position ??= position;
    this.#recordings.locate(this.#position);
    this.#recordings.started(recording);
    if (recording.broken) {
      this.#attach(member);
      this.#line.schedule(0);
      subscription.reset("lost while loading");
    } else if (this.#line.carries(subscription.channels)) {
      member.skip(this.#recordings.before(recording));
      this.#attach(member);
      member.hand(recording.changes);
    } else {
      this.#line.schedule(0);
    }
  }

  leave(subscription) {
    const member = this.#members.get(subscription);
    if (!member) return;
    this.#members.delete(subscription);
    if (member.recording) this.release(member.recording);
    if (this.#line.live) this.#line.schedule(SHRINK_DELAY);
  }

  /** Ends everything. */
  close() {
    for (const subscription of this.#members.subscriptions()) this.leave(subscription);
    this.#stop("closed");
  }

  #attach(member) {
    member.attached = true;
    if (member.recording) this.release(member.recording);
    member.recording = null;
  }

  #receive(connection, deliveries) {
    let changes = [];
    for (const { type, message, id, position, size = null } of deliveries) {
      if (type === "stream-open") this.#opened(connection);
      if (connection !== this.#line.live) continue; // something before its opening: not this protocol
      const repeated = id !== null && this.#seen.has({ id, channel: message?.channel });
      this.emit("arrival", { type, message, id, size, repeated, transport: connection.transport });
      if (position && !elsewhere(connection, type, position)) this.#position = position;
      if (message === null || type === "stream-open" || type === "keep-alive") continue;
      if (!type.startsWith("stream-")) {
        changes.push({ ...message, type, id });
        continue;
      }
      this.#deliver(changes);
      changes = [];
      if (type === "stream-reset") this.#reset(message);
      else if (type === "stream-error") this.#error(message);
    }
    this.#deliver(changes);
  }

  #opened(connection) {
    if (!this.#line.opened(connection)) return;
    this.#recordings.restart(connection.position);
    for (const member of this.#members.waiting(connection.channels)) this.#attach(member);
    this.#line.settle();
    this.emit("open");
  }

  #deliver(changes) {
    if (!changes.length) return;
    this.#recordings.add(changes);
    this.#members.hand(changes);
    for (const change of changes) if (this.#seen.isNew(change)) this.emit("message", change);
  }

  #reset({ channels = [], reason = "" }) {
    this.emit("reset", { channels, reason });
    this.#recordings.break(this.#position);
    for (const subscription of this.#members.subscriptions(channels)) subscription.reset(reason);
  }

  #error({ condition, text, channels = [] }) {
    this.emit("error", { condition, text, channels });
    if (condition !== "forbidden") return;
    for (const name of channels) this.#line.live.channels.delete(name);
    this.#refuse(channels, new ApiError(403, { detail: text }));
  }

  #refuse(channels, error) {
    for (const subscription of this.#members.subscriptions(channels)) {
      if (!this.#members.get(subscription)) continue; // it has left, because another was refused
      const lost = channels.filter((name) => subscription.channels.has(name));
      this.leave(subscription);
      subscription.refuse(error, lost);
    }
    if (!this.#members.size) this.#stop("forbidden");
  }

  async #refused(connection, error) {
    if (error.status === 401) return this.#refuse([...this.#members.channels()], error);
    if (this.#line.live) {
      const kept = this.#line.live.channels;
      const added = [...connection.channels].filter((name) => !kept.has(name));
      return this.#refuse(added, error);
    }
    if (error.status !== 403) return this.#refuse([...connection.channels], error);
    // Something was taken away while nobody was connected: find out what, and go on with the rest.
    for (const subscription of this.#members.subscriptions()) {
      if (await isAllowed(this.#http, this.#url, subscription.channels)) continue;
      if (!this.#members.get(subscription)) continue;
      this.leave(subscription);
      subscription.refuse(error, [...subscription.channels]);
    }
    if (this.#members.size) this.#line.retry();
    else this.#stop("forbidden");
  }

  #stop(state) {
    if (!this.#members.size) this.#position = null;
    this.#line.stop(state);
  }
}

/**
 * Whether a stream says that it starts elsewhere than it was asked to. A reset follows, and should the
 * line break before it comes, resuming from that new position would hide that anything was lost.
 */
function elsewhere(connection, type, position) {
  return type === "stream-open" && Boolean(connection.position) && position !== connection.position;
}
