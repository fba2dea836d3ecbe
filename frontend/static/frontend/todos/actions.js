/** What is done to the items of a list, each so that it can be undone. */

import { announce } from "./dom.js";
import { positionsAfterMove } from "./positions.js";
import { entityTag } from "../../realtime/realtime.js";

export class ItemActions {
  #history;
  /** The items that are shown. @type {import("../../realtime/realtime.js").Collection|null} */
  collection = null;

  /** @param {import("./undo.js").History} history */
  constructor(history) {
    this.#history = history;
  }

  /** @param {string} key @param {boolean} done */
  toggle(key, done) {
    const { collection } = this;
    const { row } = this.#entry(key);
    const sent = collection.update(key, { done });
    const forget = this.#history.did(`${done ? "Done" : "Not done"}: ${shortened(row.text)}`, () => {
      if (this.#now(collection, key).row.done !== done) throw new RangeError("Somebody has changed it since.");
      collection.update(key, { done: !done });
    });
    sent.catch(forget);
  }

  /** Changes a text. @param {import("./sessions.js").Session} session @param {string} text */
  rewrite({ key, row, options }, text) {
    this.rewritten(key, row.text, text, this.collection.update(key, { text }, options));
  }

  /** A text is being changed. @param {string} key @param {string} former @param {string} text @param {Promise<any>} sent */
  rewritten(key, former, text, sent) {
    const { collection } = this;
    const forget = this.#history.did(`Changed ${shortened(former)}`, () => {
      const { row: seen, base } = this.#now(collection, key);
      if (seen.text !== text) throw new RangeError("Somebody has changed it since.");
      const undo = async () => collection.update(key, { text: former }, { match: base && (await entityTag(base)), keep: true, seen });
      undo().catch(() => {});
    });
    sent.catch(forget); // refused: the outbox keeps it
  }

  /** @param {string} key @returns {string|null} the key of what is next to it */
  remove(key) {
    const { collection } = this;
    const { entries } = collection;
    const index = entries.findIndex((entry) => entry.key === key);
    if (index < 0) return null;
    const { text, done, position, todo_list } = entries[index].row;
    const sent = collection.delete(key);
    const forget = this.#history.did(`Deleted ${shortened(text)}`, () => collection.create({ todo_list, text, done, position }));
    sent.catch(forget);
    return (entries[index + 1] ?? entries[index - 1])?.key ?? null;
  }

  /**
   * Moves an item between two others, of which one may be gone meanwhile.
   * @param {string} key
   * @param {string|null} after
   * @param {string|null} before
   */
  move(key, after, before) {
    const { collection } = this;
    const { entries } = collection;
    const from = entries.findIndex((entry) => entry.key === key);
    if (from < 0) return; // somebody has deleted it meanwhile
    const others = entries.filter((entry) => entry.key !== key).map((entry) => entry.key);
    const behind = others.indexOf(after) + 1; // 0 if there is none
    const to = behind || !others.includes(before) ? behind : others.indexOf(before);
    const last = entries.findLast(({ row }) => row.position !== undefined)?.row.position ?? 0;
    const items = entries.map(({ key, row }) => ({ key, position: row.position ?? last }));
    const writes = positionsAfterMove(items, from, to);
    if (!writes.length) return;
    const former = new Map(items.map((item) => [item.key, item.position]));
    for (const write of writes) collection.update(write.key, { position: write.position });
    const { text } = entries[from].row;
    this.#history.did(`Moved ${shortened(text)}`, () => {
      this.#now(collection, key);
      const back = writes.filter((write) => collection.entries.some((entry) => entry.key === write.key));
      for (const write of back) collection.update(write.key, { position: former.get(write.key) });
    });
    announce(`${text}: ${to + 1} of ${entries.length}`);
  }

  #entry(key) {
    return this.#now(this.collection, key);
  }

  #now(collection, key) {
    const entry = collection.entries.find((other) => other.key === key);
    if (!entry) throw new RangeError("It is not there any more.");
    return entry;
  }
}

function shortened(text) {
  return `“${text.length > 40 ? `${text.slice(0, 39)}…` : text}”`;
}
