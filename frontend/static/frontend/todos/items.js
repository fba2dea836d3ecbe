/** The items of the list that is shown. */

import { announce, h, notice, patch, refresh } from "./dom.js";
import { createItem, updateItem, walkWithArrows } from "./item.js";
import { positionsAfterMove } from "./positions.js";
import { reorder } from "./reorder.js";
import { refusal, toast } from "./toast.js";

const PAGE = 500;

export class ItemsView {
  #client;
  #lost;
  #collections = new Map(); // shown before, so that going back shows something at once
  #collection = null;
  #list = null;
  #off = [];
  #missed = new Set();
  #focusing = false;
  #element = document.getElementById("items");
  #notice = document.getElementById("items-notice");
  #summary = document.getElementById("summary");
  #progress = document.getElementById("progress");
  #form = document.getElementById("add");
  #drag;

  /**
   * @param {import("../../realtime/realtime.js").Realtime} client
   * @param {(list: number) => void} lost the list that is shown may not be seen any more
   */
  constructor(client, lost) {
    this.#client = client;
    this.#lost = lost;
    this.#drag = reorder(this.#element, {
      move: (key, after, before) => this.#move(key, after, before),
      ended: () => this.#render(new Set()),
    });
    walkWithArrows(this.#element);
    const { text } = this.#form.elements;
    text.addEventListener("input", () => this.#enable());
    this.#form.addEventListener("submit", (event) => this.#add(event));
  }

  /** Shows the items of a list. @param {number|null} list */
  show(list) {
    if (list === this.#list) return;
    this.#leave();
    this.#list = list;
    this.#focusing = false;
    if (list === null) return;
    const collection = this.#collectionOf(list);
    this.#collection = collection;
    this.#off = [
      collection.on("change", ({ foreign }) => this.#render(foreign)),
      collection.on("state", () => this.#render(new Set())),
      collection.on("error", (error) => error.write && refusal(error)),
      collection.on("forbidden", () => this.#lost(list)),
    ];
    this.#form.reset();
    this.#enable();
    this.#element.replaceChildren(...skeleton());
    this.#element.setAttribute("aria-busy", "true");
    this.#notice.replaceChildren();
    this.#summary.textContent = "";
    this.#progress.value = 0;
    if (collection.items.length) this.#render(new Set());
    collection.subscribe().catch(() => {}); // `forbidden` says it too
  }

  /** Goes to where the next item is written, as soon as it is shown. */
  focus() {
    this.#focusing = true;
    this.#render(new Set());
  }

  #collectionOf(list) {
    if (!this.#collections.has(list)) {
      const params = { todo_list: list, ordering: "position,id", limit: PAGE };
      this.#collections.set(list, this.#client.collection("todo-items", { params }));
    }
    return this.#collections.get(list);
  }

  #leave() {
    for (const off of this.#off) off();
    this.#off = [];
    this.#collection?.unsubscribe();
    this.#collection = null;
  }

  #render(foreign) {
    foreign.forEach((key) => this.#missed.add(key));
    if (this.#drag.active || !this.#collection) return;
    const { entries, state } = this.#collection;
    const shown = state === "live" || entries.length > 0;
    this.#element.setAttribute("aria-busy", String(!shown));
    this.#enable();
    if (shown) {
      const create = ({ key }) => createItem(key, this.#actions);
      patch(this.#element, entries, create, updateItem);
      this.#count(entries);
      this.#highlight(entries);
      if (this.#focusing) this.#form.elements.text.focus();
      this.#focusing = false;
    }
    this.#explain(entries, state);
  }

  #explain(entries, state) {
    let said = null;
    if (state === "failed" && !entries.length) {
      this.#element.replaceChildren();
      const text = "The server can’t be reached. Trying again…";
      said = notice({ picture: "cloud", title: "No connection", text });
    } else if (state === "live" && !entries.length) {
      said = notice({ picture: "leaf", title: "All clear", text: "Nothing in this list. Add the first thing below." });
    }
    this.#notice.replaceChildren(...(said ? [said] : []));
  }

  #count(entries) {
    const done = entries.filter(({ row }) => row.done).length;
    this.#summary.textContent = entries.length ? `${done} of ${entries.length} done` : "No items";
    this.#progress.max = entries.length || 1;
    this.#progress.value = done;
  }

  #highlight(entries) {
    const changed = entries.filter(({ key }) => this.#missed.has(key));
    for (const item of this.#element.children) if (this.#missed.has(item.dataset.key)) refresh(item);
    if (changed.length === 1) announce(`Changed: ${changed[0].row.text}${changed[0].row.done ? ", done" : ""}`);
    else if (changed.length) announce(`${changed.length} items have changed.`);
    else if (this.#missed.size) announce("An item was removed.");
    this.#missed.clear();
  }

  #enable() {
    const { text } = this.#form.elements;
    this.#form.querySelector("button").disabled = !text.value.trim() || this.#collection?.state !== "live";
  }

  #add(event) {
    event.preventDefault();
    const { text } = this.#form.elements;
    const value = text.value.trim();
    if (!value || this.#collection?.state !== "live") return;
    text.value = "";
    this.#enable();
    // The server puts it at the end; here it is shown behind the last until its position is known.
    this.#collection.create({ todo_list: this.#list, text: value, done: false }).catch(() => {
      if (!text.value) text.value = value; // refused: what was typed is not lost
      this.#enable();
    });
    this.#element.scrollTo({ top: this.#element.scrollHeight });
  }

  #actions = {
    update: (key, data) => this.#collection.update(key, data),
    remove: (key) => this.#remove(key),
  };

  #remove(key) {
    const collection = this.#collection;
    const { entries } = collection;
    const index = entries.findIndex((entry) => entry.key === key);
    const { row } = entries[index];
    const neighbour = entries[index + 1] ?? entries[index - 1];
    collection.delete(key);
    const { text, done, position, todo_list } = row;
    const undo = () => collection.create({ todo_list, text, done, position });
    toast(`Deleted “${shortened(text)}”`, { action: { label: "Undo", run: undo } });
    const next = [...this.#element.children].find((item) => item.dataset.key === neighbour?.key);
    (next?.parts.check ?? this.#form.elements.text).focus({ preventScroll: true });
  }

  #move(key, after, before) {
    const { entries } = this.#collection;
    const from = entries.findIndex((entry) => entry.key === key);
    if (from < 0) return; // somebody has deleted it meanwhile
    const others = entries.filter((entry) => entry.key !== key).map((entry) => entry.key);
    const behind = others.indexOf(after) + 1; // 0 if there is none
    const to = behind || !others.includes(before) ? behind : others.indexOf(before);
    const last = entries.findLast(({ row }) => row.position !== undefined)?.row.position ?? 0;
    const items = entries.map(({ key, row }) => ({ key, position: row.position ?? last }));
    for (const write of positionsAfterMove(items, from, to)) {
      this.#collection.update(write.key, { position: write.position });
    }
    announce(`${entries[from].row.text}: ${to + 1} of ${entries.length}`);
  }
}

function skeleton() {
  return [1, 2, 3].map(() => h("li", { className: "skeleton", "aria-hidden": "true" }));
}

function shortened(text) {
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}
