/** The items of the list that is shown. */

import { ItemActions } from "./actions.js";
import { announce, h, notice, patch, refresh } from "./dom.js";
import { createItem, updateItem, walkWithArrows } from "./item.js";
import { reorder } from "./reorder.js";
import { Session, editorsOf, namesOf } from "./sessions.js";
import { refusal } from "./toast.js";

const PAGE = 500;
const DRAFT = "todos.draft.";

export class ItemsView {
  #client;
  #user;
  #on;
  #editing;
  #do;
  #editors = null;
  #session = null; // of the text that is being edited
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
   * @param {string} user id of whoever is looking
   * @param {import("./undo.js").History} history
   * @param {object} on
   * @param {(list: number) => void} on.lost the list that is shown may not be seen any more
   * @param {(list: number) => void} on.live its items are here, and about to be kept up to date
   * @param {() => void} on.rendered
   */
  constructor(client, user, history, on) {
    this.#client = client;
    this.#user = user;
    this.#on = on;
    this.#do = new ItemActions(history);
    this.#editing = client.editing("todo-items");
    this.#drag = reorder(this.#element, {
      move: (key, after, before) => this.#do.move(key, after, before),
      ended: () => this.#render(new Set()),
    });
    walkWithArrows(this.#element);
    const { text } = this.#form.elements;
    text.addEventListener("input", () => this.#typed());
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
    this.#collection = this.#do.collection = collection;
    this.#editors = editorsOf(this.#client, list);
    this.#off = [
      collection.on("change", ({ foreign }) => this.#render(foreign)),
      collection.on("state", (state) => this.#entered(state)),
      collection.on("error", (error) => error.write && refusal(error)),
      collection.on("forbidden", () => this.#on.lost(list)),
      this.#editors.on("change", () => this.#render(new Set())),
    ];
    this.#form.elements.text.value = sessionStorage.getItem(DRAFT + list) ?? "";
    this.#enable();
    this.#element.replaceChildren(...skeleton());
    this.#element.setAttribute("aria-busy", "true");
    this.#notice.replaceChildren();
    this.#summary.textContent = "";
    this.#progress.value = 0;
    if (collection.items.length) this.#render(new Set());
    collection.subscribe().catch(() => {}); // `forbidden` says it too
    this.#editors.subscribe().catch(() => {}); // as the items
  }

  /** What a letter of the outbox is about, if it is in the list that is shown. */
  find({ resource, row }) {
    if (resource !== "todo-items" || !this.#collection) return null;
    const entry = this.#collection.entries.find(({ key, row: { id } }) => key === String(row) || id === row);
    const element = entry && [...this.#element.children].find((item) => item.dataset.key === entry.key);
    return element ? { entry, element } : null;
  }

  /** A letter of the outbox has put its text in the place of another: that can be undone while its item is shown. */
  rewritten(letter, former, sent) {
    const { entry } = this.find(letter) ?? {};
    if (entry) this.#do.rewritten(entry.key, former, letter.data.text, sent);
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
    if (this.#session) document.activeElement.blur(); // which saves what was typed
    for (const off of this.#off) off();
    this.#off = [];
    this.#collection?.unsubscribe();
    this.#editors?.unsubscribe();
    this.#collection = this.#do.collection = this.#editors = null;
  }

  #entered(state) {
    if (state === "live") this.#on.live(this.#list);
    this.#render(new Set());
  }

  #render(foreign) {
    foreign.forEach((key) => this.#missed.add(key));
    if (this.#drag.active || !this.#collection) return;
    const { state } = this.#collection;
    const entries = this.#entries();
    const shown = state === "live" || entries.length > 0;
    this.#element.setAttribute("aria-busy", String(!shown));
    this.#enable();
    if (shown) {
      const create = ({ key }) => createItem(key, this.#handlers);
      patch(this.#element, entries, create, updateItem);
      this.#count(entries);
      this.#highlight(entries);
      if (this.#focusing) this.#form.elements.text.focus();
      this.#focusing = false;
    }
    this.#explain(entries, state);
    this.#on.rendered();
  }

  /** The items, with who edits them; and the one whose text is being edited, even if it is gone. */
  #entries() {
    const names = namesOf(this.#editors, this.#user);
    const entries = this.#collection.entries.map((entry) => ({ ...entry, editors: names.get(entry.row.id) }));
    const open = this.#session;
    if (!open || entries.some(({ key }) => key === open.key)) return entries;
    const at = entries.findIndex(({ row }) => row.position > open.row.position);
    return entries.toSpliced(at < 0 ? entries.length : at, 0, { key: open.key, row: open.row, gone: true });
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

  #typed() {
    const { value } = this.#form.elements.text;
    if (value) sessionStorage.setItem(DRAFT + this.#list, value);
    else sessionStorage.removeItem(DRAFT + this.#list);
    this.#enable();
  }

  #add(event) {
    event.preventDefault();
    const { text } = this.#form.elements;
    const value = text.value.trim();
    if (!value || this.#collection?.state !== "live") return;
    text.value = "";
    this.#typed();
    const list = this.#list;
    // The server puts it at the end; here it is shown behind the last until its position is known.
    this.#collection.create({ todo_list: list, text: value, done: false }).catch((error) => {
      if (error.kept) return;
      if (list !== this.#list) return sessionStorage.setItem(DRAFT + list, value);
      if (text.value) return;
      text.value = value; // refused: what was typed is not lost
      this.#typed();
    });
    // Once it is among the others.
    requestAnimationFrame(() => this.#element.scrollTo({ top: this.#element.scrollHeight }));
  }

  #handlers = {
    toggle: (key, done) => this.#do.toggle(key, done),
    edit: (key) => this.#edit(key),
    remove: (key) => this.#remove(key),
  };

  #edit(key) {
    const entry = this.#collection.entries.find((other) => other.key === key);
    const session = new Session(this.#client, this.#editing, "todo-items", entry, "text");
    this.#session = session;
    const end = () => {
      session.end();
      if (this.#session === session) this.#session = null;
      this.#render(new Set());
    };
    return { save: (text) => this.#do.rewrite(session, text), end };
  }

  #remove(key) {
    const neighbour = this.#do.remove(key);
    const next = [...this.#element.children].find((item) => item.dataset.key === neighbour);
    (next?.parts.check ?? this.#form.elements.text).focus({ preventScroll: true });
  }
}

function skeleton() {
  return [1, 2, 3].map(() => h("li", { className: "skeleton", "aria-hidden": "true" }));
}
