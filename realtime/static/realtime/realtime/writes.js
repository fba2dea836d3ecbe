/** What a collection's user writes: shown at once on its rows, sent by the outbox, dropped when its event comes. */

import { mutationId } from "./http.js";

/** An answered write whose event has not come by then has changed nothing. */
const SETTLE = 5000;
const UNDONE = new Set(["new", "sending", "waiting"]);

export class Writes {
  #rows;
  #outbox;
  #kind;
  #on;
  #followed = new Set(); // letters whose outcome is awaited here

  /**
   * @param {import("./rows.js").Rows} rows
   * @param {import("./outbox.js").Outbox} outbox
   * @param {{resource: string, scope: string}} kind which letters are about these rows
   * @param {object} on
   * @param {() => {position: string|null, channels: string[]}} on.place where their events will come
   * @param {() => boolean} on.hears whether events come at all
   * @param {() => boolean} on.isCut whether events are late, for the line is broken
   * @param {() => void} on.changed
   * @param {(error: import("./http.js").ApiError) => void} on.refused
   */
  constructor(rows, outbox, kind, on) {
    this.#rows = rows;
    this.#outbox = outbox;
    this.#kind = kind;
    this.#on = on;
  }

  /** Follows what becomes of letters. @param {() => boolean} isLive @returns {(() => void)[]} end it */
  attend(isLive) {
    return [
      this.#outbox.on("return", () => isLive() && this.adopt()),
      this.#outbox.on("change", () => this.#followed.size && this.#on.changed()),
    ];
  }

  /** @param {any} id null to create @param {"create"|"update"|"delete"} kind; the rest: see `Collection` */
  add(id, kind, data, { match = null, keep = false, seen = null } = {}) {
    const found = kind === "create" ? null : this.#rows.find(id);
    // What is kept is sent even if the row has just gone: the server says so, and nothing is lost.
    if (!found && kind !== "create" && !keep) throw new RangeError(`There is no row ${id}.`);
    const write = { id: mutationId(), kind, data, answered: false };
    const was = seen ?? (found ? this.#rows.state(found) : null);
    const entry = found || kind === "create" ? this.#rows.write(id, write) : null;
    const row = found ? (found.id ?? found.key) : id;
    const letter = { ...this.#kind, ...this.#on.place(), id: write.id, row, kind, data, was, match, keep };
    return this.#follow(entry, write, letter, true);
  }

  /** Shows what waits in the outbox, from before the page was loaded, or because it is sent once more. */
  adopt() {
    const { resource, scope } = this.#kind;
    for (const letter of this.#outbox.letters) {
      const { id, row, kind, data, state } = letter;
      const ours = letter.resource === resource && letter.scope === scope && UNDONE.has(state);
      if (!ours || this.#followed.has(id) || (kind !== "create" && !this.#rows.find(row))) continue;
      const write = { id, kind, data, answered: false };
      this.#follow(this.#rows.write(row, write), write, letter, false);
    }
  }

  #follow(entry, write, letter, isNew) {
    let version = entry?.version;
    const sending = () => (version = entry?.version);
    this.#followed.add(write.id);
    write.letter = isNew ? this.#outbox.add(letter, sending) : letter;
    this.#on.changed();
    const result = this.#finish(entry, write, () => version);
    result.catch(() => {}); // whoever does not wait for it listens to `error`
    return result;
  }

  async #finish(entry, write, version) {
    try {
      const data = await this.#outbox.outcome(write.letter);
      if (entry) this.#rows.answer(entry, write, data, version());
      if (entry) this.#settle(entry, write);
      return data;
    } catch (error) {
      if (entry) this.#rows.drop(entry, write);
      this.#on.refused(Object.assign(error, { write }));
      throw error;
    } finally {
      this.#followed.delete(write.id);
      this.#on.changed();
    }
  }

  #settle(entry, write) {
    const settle = () => {
      if (this.#on.isCut()) return setTimeout(settle, SETTLE);
      this.#rows.drop(entry, write);
      this.#on.changed();
    };
    setTimeout(settle, this.#on.hears() ? SETTLE : 0);
  }
}
