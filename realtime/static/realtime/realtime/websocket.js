/**
 * A stream by WebSocket, as if it were one of Server-Sent Events: it begins at a position, and what
 * follows are all events of its channels, in the order of the log.
 *
 * A WebSocket subscribes channel by channel. Each is asked for from the same position on, and brings
 * first what it has missed, in order, then its live events; but between what two channels have missed
 * there is no order. So everything is held back until the server says that all of them have caught up.
 * If only one channel has brought anything, its order is the log's. Otherwise the log itself is asked
 * for what came since the position (`GET` of the stream's URL as JSON), in order; what comes meanwhile is
 * live, on all channels.
 * The same is done where some of the channels come by the socket already, as they do for a connection
 * that is about to be replaced by this one: what they had since the position is not sent again. There the
 * socket may be behind the position, which REST has answered, perhaps from another server: only the answer to
 * a ping that names the position says that what comes from then on is newer.
 */

/** When the server has not yet sent all that was missed, it is asked again. */
const BEHIND = 100;
/** What presence is called in the log, and with what Pusher's clients call it. */
const PRESENCE = {
  "pusher_internal:member_added": ({ user_id: id, user_info: info }) => ["member.joined", { id, info }],
  "pusher_internal:member_removed": ({ user_id: id }) => ["member.left", { id }],
};

export class WebSocketConnection {
  transport = "websocket";
  retry = null;

  #http;
  #url;
  #socket;
  #on;
  #expected = new Set(); // channels that don't come yet
  #lost = new Map(); // channels that were refused
  #held = [];
  #shared = false;
  #state = "opening"; // then ordering, open, over
  #start = null;
  #reset = null;
  #restarted = null;
  #since = null;

  /** Parameters as those of `SseConnection`, and the socket. */
  constructor(http, url, socket, channels, position, on) {
    this.channels = channels;
    this.position = position;
    this.#http = http;
    this.#url = url;
    this.#socket = socket;
    this.#on = on;
    socket.join(this);
  }

  /** For how long it has been open, in milliseconds; null if it never was. */
  get lifetime() {
    return this.#since === null ? null : Date.now() - this.#since;
  }

  /** Ends it without a word to anybody. */
  close() {
    this.#state = "over";
    this.#socket.leave(this);
  }

  /** Ends it if it has been silent for too long. */
  check() {
    this.#socket.check();
  }

  // What the socket says

  wants(name) {
    return this.channels.has(name) && !this.#lost.has(name);
  }

  established() {
    this.#since ??= Date.now();
    for (const name of this.channels) {
      const carried = this.#socket.carries(name);
      if (carried !== false) this.#shared = true;
      if (carried !== true) this.#expected.add(name);
      else this.#start ??= this.#socket.start;
    }
    this.#subscribe();
    this.#proceed();
  }

  subscribed(name, position, frame) {
    if (!this.#expected.delete(name)) return;
    const members = memberList(frame);
    if (members) this.#held.push(members);
    this.#start ??= position;
    this.#subscribe();
    this.#proceed();
  }

  refused(name, error) {
    if (!this.channels.has(name)) return;
    if (error.status !== 403) return this.ended(error);
    this.#expected.delete(name);
    if (this.#state === "open") return this.#hand([forbidden([name], error)]);
    this.#lost.set(name, error);
    this.#held = this.#held.filter(({ message }) => message.channel !== name);
    if (this.#lost.size === this.channels.size) return this.ended(error);
    if (this.#state !== "opening") return;
    this.#subscribe();
    this.#proceed();
  }

  receive(frame) {
    if (!this.wants(frame.channel) || this.#expected.has(frame.channel)) return;
    const open = this.#state === "open";
    if (frame.event === "stream-reset") {
      if (!open) this.#reset = frame.data;
      else if (frame.id !== this.#restarted) this.#hand([this.#restart(frame.data, frame.id)]);
    } else if (!frame.event.startsWith("pusher_internal:") || frame.event in PRESENCE) {
      if (open) this.#hand([delivery(frame)]);
      else this.#held.push(delivery(frame));
    }
  }

  level(position) {
    if (this.#state === "open") this.#hand([signal("keep-alive", null, position)]);
  }

  answered(position) {
    if (this.#state !== "opening") return;
    if (position === null) return void setTimeout(() => this.#proceed(), BEHIND);
    this.#state = "ordering";
    this.#open(position);
  }

  ended(error) {
    if (this.#state === "over") return;
    this.close();
    this.#on.end(this, error);
  }

  // Opening

  /** Where it begins: where it was asked to, else where its first channel does. */
  get #from() {
    return this.position ?? this.#start;
  }

  /** Subscribes to what is missing. Without a position, the others begin where the first one does. */
  #subscribe() {
    for (const name of this.#expected) {
      if (this.#socket.carries(name) === false) this.#socket.subscribe(name, this.#from);
      if (this.#from === null) return;
    }
  }

  /** After a reset the position is one of a log that is no more. */
  #proceed() {
    const asks = this.#state === "opening" && !this.#expected.size;
    if (asks) this.#socket.ping(this, this.#reset ? null : this.position);
  }

  async #open(level) {
    const missed = [];
    const caughtUp = this.#held.length;
    const asks = !this.#reset && !this.#ordered();
    try {
      if (asks) await this.#ask(missed, caughtUp);
    } catch (error) {
      return this.ended(error);
    }
    if (this.#state === "over") return;
    this.#state = "open";
    const deliveries = [signal("stream-open", {}, this.#reset ? level : this.#from)];
    if (this.#lost.size) deliveries.push(forbidden([...this.#lost.keys()], [...this.#lost.values()][0]));
    const late = this.#held.splice(caughtUp);
    if (this.#reset) deliveries.push(this.#restart(this.#reset, level), ...late);
    else {
      const known = missed.filter(({ message }) => this.wants(message.channel));
      deliveries.push(...this.#early(asks, missed), ...known, ...without(late, missed));
    }
    this.#held = [];
    this.#hand(deliveries);
  }

  /**
   * What is held from before all have caught up. If the log was asked, the rest is older than the beginning:
   * of a subscription that another connection began, or, without a position, a cache channel's last event.
   */
  #early(asked, missed) {
    const rest = without(this.#held, missed);
    if (this.position === null) return rest.map(unplaced);
    return asked ? rest.filter(({ id }) => id === null) : rest;
  }

  /** Whether what is held is all there is, and in order. */
  #ordered() {
    if (!this.#from) return true;
    const logged = this.#held.filter(({ id }) => id !== null);
    return !this.#shared && new Set(logged.map(({ message }) => message.channel)).size < 2;
  }

  /**
   * Reads the log from the position on, until it has no more, or until something of it has come live:
   * what follows that is held already, in order.
   */
  async #ask(missed, caughtUp) {
    const url = new URL(this.#url);
    for (const name of this.channels) if (!this.#lost.has(name)) url.searchParams.append("channel", name);
    let position = this.#from;
    for (;;) {
      const { data } = await this.#http.get(url.href, { Accept: "application/json", "Last-Event-ID": position });
      this.#reset ??= data.reset;
      if (this.#reset || !data.events.length) return;
      const page = data.events.map(({ id, event, data: message }) => ({ type: event, message, id, position: id }));
      missed.push(...page);
      if (without(page, this.#held.slice(caughtUp)).length < page.length) return;
      position = data.last_event_id;
    }
  }

  /** The server goes on elsewhere: with all channels, of which it tells one by one. */
  #restart({ reason = "" }, position) {
    this.#restarted = position;
    return signal("stream-reset", { channels: [...this.channels], reason }, position);
  }

  #hand(deliveries) {
    this.#on.events(this, deliveries);
  }
}

function delivery({ event, channel, data, id = null, changed, mutation, size }) {
  const [type, content] = PRESENCE[event]?.(data) ?? [event, data];
  return { type, message: { channel, data: content, changed, mutation }, id, position: id ?? "", size };
}

/** The members that come with a subscription, as a stream would tell them; null if there are none. */
function memberList({ channel, data, size }) {
  const { ids, hash } = data?.presence ?? {};
  if (!ids) return null;
  const members = ids.map((id) => ({ id, info: hash[id] }));
  return { ...signal("member.list", { channel, data: { members, version: null } }, ""), size };
}

/** The last event of a cache channel, which comes first, is older than where a connection begins. */
function unplaced(delivery) {
  return { ...delivery, position: "" };
}

function signal(type, message, position) {
  return { type, message, id: null, position };
}

function forbidden(channels, error) {
  return signal("stream-error", { condition: "forbidden", text: error.message, channels }, "");
}

function key({ id, message }) {
  return `${id} ${message.channel}`;
}

/** Those of `deliveries` that are not among `others`. */
function without(deliveries, others) {
  const keys = new Set(others.map(key));
  return deliveries.filter((one) => one.id === null || !keys.has(key(one)));
}
