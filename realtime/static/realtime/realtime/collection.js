/** Rows of one REST resource, live: read, written at once, and kept up to date by the stream. */

import { Backoff } from "./backoff.js";
import { Emitter } from "./emitter.js";
import { ApiError } from "./http.js";
import { Rows } from "./rows.js";
import { snapshot } from "./snapshot.js";
import { Writes } from "./writes.js";

const ACTIONS = { created: "created", updated: "updated", deleted: "deleted", entered: "entered", left: "left" };
const CONTAINERS = new Set(["created", "deleted", "entered", "left"]);

/**
 * Emits `change` (with `{foreign: Set}`, the keys of rows that somebody else has changed), `state`,
 * `error` (an `ApiError` with `write`: what was refused and has been taken back; the outbox has `kept` it or not), and `forbidden`.
 */
export class Collection extends Emitter {
  /** idle, loading, live, forbidden; or failed: the server can't be reached, it goes on trying */
  state = "idle";

  #http;
  #stream;
  #writes;
  #resource;
  #params;
  #model;
  #rows;
  #subscription = null;
  #loading = null;
  #again = false;
  #actions;
  #off = [];
  #announced = false;
  #foreign = new Set();

  /**
   * @param {{http: import("./http.js").Http, stream: import("./stream.js").Stream, outbox: import("./outbox.js").Outbox}} client
   * @param {string} name as in the URL: "todo-items"
   * @param {object} [options]
   * @param {object} [options.params] the query: filters, `ordering`
   * @param {string} [options.model] as in the events; the name without its "s" if left out
   * @param {object} [options.actions] where the rows are not the model's own, but derived from it ("todo-items/editing"):
   *   which of the model's actions means which of a row
   */
  constructor({ http, stream, outbox }, name, { params = {}, model = name.replace(/s$/, ""), actions } = {}) {
    super();
    this.#http = http;
    this.#stream = stream;
    this.#resource = name;
    this.#params = params;
    this.#model = model;
    this.#actions = actions ?? ACTIONS;
    // Of derived rows, the filters are about fields that they don't have: their channel is all there is.
    this.#rows = new Rows(actions ? {} : params);
    this.#writes = new Writes(this.#rows, outbox, { resource: name, scope: JSON.stringify(params) }, {
      place: () => ({ position: stream.position, channels: [...(this.#subscription?.channels ?? [])] }),
      hears: () => this.#subscription !== null,
      isCut: () => this.#subscription !== null && stream.state !== "open",
      changed: () => this.#changed(),
      refused: (error) => this.emit("error", error),
    });
  }

  /** What to show, in order, each with a key that lasts. @returns {import("./rows.js").Shown[]} */
  get entries() {
    return this.#rows.view();
  }

  /** The rows to show, in order. @returns {object[]} */
  get items() {
    return this.entries.map(({ row }) => row);
  }

  /** All rows that there are now, once. @param {object} [params] @returns {Promise<object[]>} */
  async getList(params = this.#params) {
    return (await snapshot(this.#http, this.#listUrl(params))).rows;
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
    if (!this.#subscription) this.#off = this.#writes.attend(() => this.state === "live");
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
    for (const off of this.#off.splice(0)) off();
    this.#enter("idle");
  }

  /**
   * Creates a row; it is shown at once.
   * @param {object} data
   * @returns {Promise<object>} the row as the server has it; rejects with an ApiError when it is refused
   */
  create(data) {
    return this.#writes.add(null, "create", data);
  }

  /**
   * Changes fields of a row; shown at once.
   * @param {any} id
   * @param {object} data
   * @param {object} [options]
   * @param {string|null} [options.match] the entity tag that the row must still have; 412 if it has another
   * @param {boolean} [options.keep] whether the outbox keeps the write when it is refused, until the user
   *   has seen to it; then the row need not be there any more
   * @param {object} [options.seen] the row as the user saw it, if that is not how it is now
   * @returns {Promise<object>} as `create`
   */
  update(id, data, options) {
    return this.#writes.add(id, "update", data, options);
  }

  /** Deletes a row; it disappears at once. @returns {Promise<void>} as `create` */
  delete(id) {
    return this.#writes.add(id, "delete");
  }

  #url(id) {
    return this.#http.url(`${this.#resource}/${encodeURIComponent(id)}/`);
  }

  #listUrl(params) {
    return this.#http.url(`${this.#resource}/`, params);
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
      const { rows, link } = await snapshot(this.#http, this.#listUrl(this.#params));
      if (subscription !== this.#subscription) return;
      if (!link) throw new ApiError(400, { detail: "This list is too wide to be live: filter it." });
      this.#rows.replace(rows, contained);
      this.#enter("live");
      this.#writes.adopt();
      subscription.channels = new Set(link.channels);
      this.#changed();
      joined = true;
      this.#stream.join(subscription, recording, link.position);
    } finally {
      if (!joined) this.#stream.release(recording);
    }
  }

  #deliver(changes) {
    let unclear = false;
    for (const change of changes) {
      const [model, name] = split(change.type);
      const action = this.#actions[name];
      if (model !== this.#model || !isObject(change.data)) {
        // Rows of many channels: a list that is shared with us brings a channel of its own.
        unclear ||= this.#subscription.channels.size > 1 && CONTAINERS.has(name);
        continue;
      }
      if (!action) continue; // something about a row, but not the row
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
