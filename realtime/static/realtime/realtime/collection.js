/** Rows of one REST resource, live: read, written at once, and kept up to date by the stream. */

import { Backoff } from "./backoff.js";
import { Emitter } from "./emitter.js";
import { ApiError, mutationId, streamLink } from "./http.js";
import { Rows } from "./rows.js";

/** An answered write whose event has not come by then has changed nothing. */
const SETTLE = 5000;
const CONTAINERS = new Set(["created", "deleted", "entered", "left"]);
/** How often a list that shifts between two of its pages is begun anew. */
const ATTEMPTS = 5;

/**
 * Emits `change` (with `{foreign: Set}`, the keys of rows that somebody else has changed), `state`,
 * `error` (an `ApiError` with `write`: what was refused and has been taken back), and `forbidden`.
 */
export class Collection extends Emitter {
  /** idle, loading, live, forbidden; or failed: the server can't be reached, it goes on trying */
  state = "idle";

  #http;
  #stream;
  #path;
  #params;
  #model;
  #rows;
  #subscription = null;
  #loading = null;
  #again = false;
  #queues = new WeakMap(); // an entry's last write: they go out one after the other
  #announced = false;
  #foreign = new Set();

  /**
   * @param {{http: import("./http.js").Http, stream: import("./stream.js").Stream}} client
   * @param {string} name as in the URL: "todo-items"
   * @param {object} [options]
   * @param {object} [options.params] the query: filters, `ordering`
   * @param {string} [options.model] as in the events; the name without its "s" if left out
   */
  constructor({ http, stream }, name, { params = {}, model = name.replace(/s$/, "") } = {}) {
    super();
    this.#http = http;
    this.#stream = stream;
    this.#path = `${name}/`;
    this.#params = params;
    this.#model = model;
    this.#rows = new Rows(params);
  }

  /** What to show, in order, each with a key that lasts. @returns {{key: string, row: object, pending: boolean}[]} */
  get entries() {
    return this.#rows.view();
  }

  /** The rows to show, in order. @returns {object[]} */
  get items() {
    return this.entries.map(({ row }) => row);
  }

  /** All rows that there are now, once. @param {object} [params] @returns {Promise<object[]>} */
  async getList(params = this.#params) {
    return (await this.#snapshot(params)).rows;
  }

  /** One row as it is now. @returns {Promise<object>} */
  async getSingle(id) {
    return (await this.#http.get(this.#url(id))).data;
  }

  /**
   * Loads the rows and keeps them live. Resolves when they are here; rejects when the server refuses
   * them. While it can't be reached, attempts go on.
   */
  async subscribe() {
    this.#subscription ??= {
      channels: new Set(),
      deliver: (changes) => this.#deliver(changes),
      reset: () => this.#load().catch(() => {}),
      refuse: (error, channels) => this.#refused(error, channels),
    };
    return this.#load();
  }

  /** Stays as it is, and hears of nothing more. */
  unsubscribe() {
    if (this.#subscription) this.#stream.leave(this.#subscription);
    this.#subscription = null;
    this.#enter("idle");
  }

  /**
   * Creates a row; it is shown at once.
   * @param {object} data
   * @returns {Promise<object>} the row as the server has it; rejects with an ApiError when it is refused
   */
  create(data) {
    return this.#write(null, "create", data);
  }

  /** Changes fields of a row; shown at once. @returns {Promise<object>} as `create` */
  update(id, data) {
    return this.#write(id, "update", data);
  }

  /** Deletes a row; it disappears at once. @returns {Promise<void>} as `create` */
  delete(id) {
    return this.#write(id, "delete");
  }

  #url(id) {
    return this.#http.url(`${this.#path}${encodeURIComponent(id)}/`);
  }

  // Reading

  #load() {
    this.#again = true;
    this.#loading ??= this.#loadUntilCurrent();
    return this.#loading;
  }

  async #loadUntilCurrent() {
    const backoff = new Backoff();
    if (this.state !== "live") this.#enter("loading");
    while (this.#again && this.#subscription) {
      this.#again = false;
      try {
        await this.#loadOnce(this.#subscription);
      } catch (error) {
        this.#again = true;
        if (!(error instanceof ApiError) || !error.temporary) {
          this.#loading = null;
          this.#lose(error);
          throw error;
        }
        this.#enter("failed");
        this.emit("error", error);
        await pause(Math.max(backoff.next(), (error.retryAfter ?? 0) * 1000));
      }
    }
    this.#loading = null;
  }

  async #loadOnce(subscription) {
    const recording = await this.#stream.record();
    const contained = this.#rows.answered();
    let joined = false;
    try {
      const { rows, link } = await this.#snapshot(this.#params);
      if (subscription !== this.#subscription) return;
      if (!link) throw new ApiError(400, { detail: "This list is too wide to be live: filter it." });
      this.#rows.replace(rows, contained);
      subscription.channels = new Set(link.channels);
      this.#enter("live");
      this.#changed();
      joined = true;
      this.#stream.join(subscription, recording, link.position);
    } finally {
      if (!joined) this.#stream.release(recording);
    }
  }

  /**
   * All pages of a list. A row that disappears or moves while they are read shifts those behind it
   * across a page's border, where they would be missed without any event. So each page begins with the
   * last row of the one before, and where that has changed, all is read anew.
   */
  async #snapshot(params) {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      let { data, response } = await this.#http.get(this.#http.url(this.#path, params));
      const link = streamLink(response);
      if (Array.isArray(data)) return { rows: data, link };
      const rows = [...data.results];
      let shifted = false;
      while (data.next && !shifted) {
        const { url, overlaps } = overlapping(data.next);
        ({ data } = await this.#http.get(url));
        const page = data.results;
        if (overlaps) shifted = page.shift()?.id !== rows.at(-1).id;
        rows.push(...page);
      }
      if (!shifted) return { rows, link };
    }
    throw new ApiError(0, { detail: "The list changes faster than it can be read." });
  }

  #deliver(changes) {
    let unclear = false;
    for (const change of changes) {
      const [model, action] = split(change.type);
      if (model !== this.#model || !isObject(change.data)) {
        // Rows of many channels: a list that is shared with us brings a channel of its own.
        unclear ||= this.#subscription.channels.size > 1 && CONTAINERS.has(action);
        continue;
      }
      const entry = this.#rows.find(change.data.id);
      unclear = this.#rows.apply(action, change, this.#subscription.channels.size) || unclear;
      const key = (entry ?? this.#rows.find(change.data.id))?.key;
      if (key && !this.#http.mutations.has(change.mutation)) this.#foreign.add(key);
    }
    this.#changed();
    if (unclear) this.#load().catch(() => {});
  }

  #refused(error, channels) {
    const remaining = [...this.#subscription.channels].filter((name) => !channels.includes(name));
    if (!remaining.length || error.status !== 403) this.#lose(error);
    else this.#load().catch(() => {}); // the rest may still be seen: what is it?
  }

  #lose(error) {
    this.unsubscribe();
    this.#enter("forbidden");
    this.emit("forbidden", error);
  }

  // Writing

  #write(id, kind, data) {
    const write = { id: mutationId(), kind, data, answered: false };
    const entry = this.#rows.write(id, write);
    this.#changed();
    const before = this.#queues.get(entry);
    const result = this.#send(entry, write, before);
    this.#queues.set(entry, result.catch(() => {}));
    result.catch(() => {}); // whoever does not wait for it listens to `error`
    return result;
  }

  async #send(entry, write, before) {
    await before;
    const { version } = entry;
    try {
      if (write.kind !== "create" && entry.id === null) throw new ApiError(0);
      const { data } = await this.#request(entry, write);
      this.#rows.answer(entry, write, data, version);
      this.#settle(entry, write);
      return data;
    } catch (error) {
      // Somebody else was faster; it is gone, as wished.
      if (write.kind === "delete" && error.status === 404) return this.#gone(entry, write);
      this.#rows.drop(entry, write);
      this.emit("error", Object.assign(error, { write }));
      throw error;
    } finally {
      this.#changed();
    }
  }

  #request(entry, { id, kind, data }) {
    const http = this.#http;
    if (kind === "create") return http.write("POST", http.url(this.#path), data, id);
    return http.write(kind === "update" ? "PATCH" : "DELETE", this.#url(entry.id), data, id);
  }

  #gone(entry, write) {
    write.answered = true;
    this.#rows.drop(entry, write);
  }

  #settle(entry, write) {
    const settle = () => {
      if (this.#subscription && this.#stream.state !== "open") return setTimeout(settle, SETTLE);
      this.#rows.drop(entry, write);
      this.#changed();
    };
    setTimeout(settle, this.#subscription ? SETTLE : 0);
  }

  // Telling

  #changed() {
    if (this.#announced) return;
    this.#announced = true;
    queueMicrotask(() => {
      this.#announced = false;
      const foreign = this.#foreign;
      this.#foreign = new Set();
      this.emit("change", { foreign });
    });
  }

  #enter(state) {
    if (state === this.state) return;
    this.state = state;
    this.emit("state", state);
  }
}

/** The next page, one row earlier, if it is one of limit/offset pagination. */
function overlapping(next) {
  const url = new URL(next, document.baseURI);
  const offset = Number(url.searchParams.get("offset"));
  if (offset > 0) url.searchParams.set("offset", offset - 1);
  return { url: url.href, overlaps: offset > 0 };
}

function split(type) {
  const dot = type.lastIndexOf(".");
  return [type.slice(0, dot), type.slice(dot + 1)];
}

function isObject(value) {
  return value !== null && typeof value === "object";
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
