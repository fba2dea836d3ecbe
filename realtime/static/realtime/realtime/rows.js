/**
 * The rows of a collection: what the server has said, and on top of it what the user has just done.
 *
 * A row is its `base`, the newest state known of the server, under the user's pending writes, oldest
 * first. A write is dropped when its own event arrives (the base contains it then), when it is refused,
 * or, should it have changed nothing and so cause no event, some time after its answer. It is not
 * dropped by the answer alone: an older event that is still under way would show the state before
 * the write once more.
 */

import { comparison, passes } from "./order.js";

/**
 * @typedef {object} Write
 * @property {string} id the mutation id
 * @property {"create"|"update"|"delete"} kind
 * @property {object} [data]
 * @property {boolean} [answered]
 */

/**
 * @typedef {object} Shown a row as it is shown
 * @property {string} key that lasts
 * @property {object} row
 * @property {object|null} base as the server has it, as far as is known
 * @property {boolean} pending whether a write of it is under way
 * @property {boolean} queued whether one has to wait for the server
 */

/**
 * @typedef {object} Entry
 * @property {string} key stays the same when a created row gets its id
 * @property {any} id null until the server has given one
 * @property {object|null} base
 * @property {Write[]} writes
 * @property {Set<string>} channels on which it was seen
 * @property {number} version counts what the server said of it
 */

export class Rows {
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  #byId = new Map();
  #params;
  #compare;

  /** @param {object} params the query that the rows answer */
  constructor(params = {}) {
    this.#params = params;
    this.#compare = comparison(params.ordering);
  }

  /** What to show, in order. @returns {Shown[]} */
  view() {
    const shown = [];
    for (const entry of this.#entries.values()) {
      const row = state(entry);
      if (!row || passes(this.#params, row) === false) continue;
      const pending = entry.writes.some((write) => !write.answered);
      const queued = entry.writes.some(({ letter }) => letter?.state === "waiting");
      shown.push({ key: entry.key, row, base: entry.base, pending, queued });
    }
    return shown.sort((one, other) => this.#compare(one.row, other.row));
  }

  /** What the user sees of an entry, or null. @param {Entry} entry */
  state(entry) {
    return state(entry);
  }

  /** The entry of a row's id, or of the key of a row that has no id yet. @returns {Entry|undefined} */
  find(id) {
    return this.#byId.get(String(id)) ?? this.#entries.get(String(id));
  }

  /**
   * A snapshot: exactly these rows.
   * @param {object[]} rows
   * @param {Set<Write>} contained writes that were answered before the snapshot was asked for
   */
  replace(rows, contained = new Set()) {
    const ids = new Set(rows.map((row) => String(row.id)));
    for (const entry of [...this.#entries.values()]) {
      entry.writes = entry.writes.filter((write) => !contained.has(write));
      if (entry.id !== null && !ids.has(String(entry.id))) this.#set(entry, null);
    }
    for (const row of rows) {
      const entry = this.#put(row);
      this.#entries.delete(entry.key); // to the end: afterwards all are in the snapshot's order
      this.#entries.set(entry.key, entry);
    }
  }

  /**
   * One event of the stream. Returns whether only the server can tell what it means for these rows.
   * @param {string} action
   * @param {import("./stream.js").Change} change
   * @param {number} channels how many channels the rows come from
   */
  apply(action, change, channels = 1) {
    const { data, channel, mutation } = change;
    const created = this.#entries.get(mutation);
    if (created?.id === null) this.#identify(created, data.id);
    let entry = this.find(data.id);
    if (action === "deleted" || action === "left") {
      if (!entry) return false;
      entry.channels.delete(channel);
      // It may have left one channel of ours for another.
      if (action === "left" && entry.channels.size) return false;
      this.#settle(entry, mutation);
      this.#set(entry, null);
      return action === "left" && channels > 1;
    }
    entry = this.#put(data);
    entry.channels.add(channel);
    this.#settle(entry, mutation);
    return passes(this.#params, data) === null;
  }

  /** Shows a write at once. @param {any} id null to create @param {Write} write @returns {Entry} */
  write(id, write) {
    const entry = write.kind === "create" ? this.#add(write.id, null, null) : this.find(id);
    if (!entry) throw new RangeError(`There is no row ${id}.`);
    entry.writes.push(write);
    return entry;
  }

  /**
   * The server's answer to a write.
   * @param {Entry} entry
   * @param {Write} write
   * @param {object|null} row what it answered
   * @param {number} version the entry's when the write was sent: a base that the stream has set since
   *   is at least as new as the answer
   */
  answer(entry, write, row, version) {
    if (!entry.writes.includes(write)) return; // its event was faster
    write.answered = true;
    if (write.kind === "create" && entry.id === null) this.#identify(entry, row.id);
    if (row && entry.version === version) this.#set(entry, row);
  }

  /** Takes a write away: refused, or long answered. @param {Entry} entry @param {Write} write */
  drop(entry, write) {
    if (write.kind === "delete" && write.answered && entry.writes.includes(write)) entry.base = null;
    entry.writes = entry.writes.filter((other) => other !== write);
    this.#tidy(entry);
  }

  /** Writes whose answer is here, but not their event. @returns {Set<Write>} */
  answered() {
    const writes = [...this.#entries.values()].flatMap((entry) => entry.writes);
    return new Set(writes.filter((write) => write.answered));
  }

  #put(row) {
    const entry = this.find(row.id) ?? this.#add(String(row.id), row.id, null);
    this.#set(entry, row);
    return entry;
  }

  #add(key, id, base) {
    const entry = { key, id: null, base, writes: [], channels: new Set(), version: 0 };
    this.#entries.set(key, entry);
    if (id !== null) this.#identify(entry, id);
    return entry;
  }

  #identify(entry, id) {
    const twin = this.#byId.get(String(id));
    if (twin) {
      // A snapshot knew the row before anybody said that it is the one created here.
      this.#entries.delete(twin.key);
      this.#set(entry, twin.base);
      entry.channels = twin.channels;
    }
    entry.id = id;
    this.#byId.set(String(id), entry);
  }

  #set(entry, base) {
    entry.base = base;
    entry.version += 1;
    this.#tidy(entry);
  }

  #tidy(entry) {
    if (entry.base || entry.writes.length) return;
    this.#entries.delete(entry.key);
    if (this.#byId.get(String(entry.id)) === entry) this.#byId.delete(String(entry.id));
  }

  #settle(entry, mutation) {
    if (mutation) entry.writes = entry.writes.filter((write) => write.id !== mutation);
  }
}

/** What the user sees of an entry, or null. */
function state({ base, id, key, writes }) {
  let row = base;
  for (const { kind, data } of writes) {
    if (kind === "delete") return null;
    if (kind === "create") row ??= { ...data, id: id ?? key };
    else if (row) row = { ...row, ...data };
  }
  return row;
}
