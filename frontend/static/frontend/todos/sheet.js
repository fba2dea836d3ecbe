/** The head of the sheet: the list's name, who shares it, and what else can be done with it. */

import { announce, h, icon } from "./dom.js";
import { confirmed } from "./dialogs.js";
import { edit } from "./edit.js";
import { openSharing } from "./share.js";
import { Session } from "./sessions.js";
import { refusal } from "./toast.js";

const LIMIT = 100;

export class SheetHead {
  #client;
  #lists;
  #user;
  #leaving;
  #history;
  #editing;
  #row = null;
  #heading = document.getElementById("heading");
  #actions = document.getElementById("actions");
  #shown = "";

  /**
   * @param {import("../../realtime/realtime.js").Realtime} client
   * @param {import("../../realtime/realtime.js").Collection} lists
   * @param {{id: string, username: string}} user
   * @param {(id: number) => void} leaving the user wants to see this list no more
   * @param {import("./undo.js").History} history
   */
  constructor(client, lists, user, leaving, history) {
    this.#client = client;
    this.#lists = lists;
    this.#user = user;
    this.#leaving = leaving;
    this.#history = history;
    this.#editing = client.editing("todo-lists");
    document.addEventListener("click", ({ target }) => this.#closeMenu(target));
    document.addEventListener("keydown", ({ key }) => key === "Escape" && this.#closeMenu(null));
  }

  /** @param {object|null} row the list; null while it is not known */
  show(row) {
    const other = row?.id !== this.#row?.id;
    this.#row = row;
    document.title = row ? `${row.name} · Todos` : "Todos";
    if (!row) {
      this.#shown = "";
      this.#heading.replaceChildren(h("div", { className: "skeleton" }));
      this.#actions.replaceChildren();
      return;
    }
    if (other || !this.#heading.querySelector("h1")) this.#buildHeading();
    const title = this.#heading.querySelector("h1 .edit");
    if (title && title.textContent !== row.name) title.textContent = row.name;
    const description = this.#heading.querySelector("p");
    description.textContent = row.description;
    description.hidden = !row.description;
    const people = JSON.stringify([row.id, row.owner, row.members]);
    if (people !== this.#shown) this.#buildActions();
    this.#shown = people;
  }

  #buildHeading() {
    const click = () => this.#rename();
    const title = h("button", { type: "button", className: "edit", title: "Rename", on: { click } });
    this.#heading.replaceChildren(h("h1", {}, title), h("p"));
  }

  #buildActions() {
    this.#actions.replaceChildren(this.#people(), this.#menu());
  }

  #people() {
    const { owner, members = [] } = this.#row;
    const all = owner ? [owner, ...members] : [];
    const label = all.length > 1 ? `${all.length} people` : "Share";
    const click = () => openSharing(this.#client, this.#lists, this.#row, this.#user.id);
    return h(
      "button",
      { type: "button", className: "people", "aria-label": all.length > 1 ? `Shared by ${label}` : label, on: { click } },
      icon("people"),
      h("span", { className: "label", textContent: label }),
    );
  }

  #menu() {
    const owned = String(this.#row.owner?.id) === this.#user.id;
    const item = (name, label, run, className = "") => {
      const click = () => {
        this.#closeMenu(null);
        run();
      };
      return h("button", { type: "button", className, on: { click } }, icon(name), label);
    };
    const summary = h("summary", { className: "icon-button", title: "More", "aria-label": "More" }, icon("more"));
    const items = h(
      "div",
      { className: "menu-items" },
      item("pencil", "Rename", () => this.#rename()),
      owned
        ? item("trash", "Delete list…", () => this.#delete(), "danger")
        : item("leave", "Leave list…", () => this.#leave(), "danger"),
    );
    return h("details", { className: "menu" }, summary, items);
  }

  #closeMenu(target) {
    const menu = this.#actions.querySelector("details[open]");
    if (!menu || menu.contains(target)) return;
    menu.open = false;
    if (target === null) menu.firstElementChild.focus();
  }

  #rename() {
    const { id, name } = this.#row;
    const holder = this.#heading.querySelector("h1");
    const entry = this.#lists.entries.find(({ row }) => row.id === id);
    if (!holder.querySelector("button") || !entry) return;
    const session = new Session(this.#client, this.#editing, "todo-lists", entry, "name");
    const save = (value) => {
      this.renamed(id, name, value, this.#lists.update(id, { name: value }, session.options));
      announce(`Renamed to ${value}`);
    };
    edit(holder, { value: name, label: "Name of the list", limit: LIMIT, className: "", save, ended: () => session.end() });
  }

  /** A list is being renamed. @param {number} id @param {string} former @param {string} name @param {Promise<any>} sent */
  renamed(id, former, name, sent) {
    const forget = this.#history.did(`Renamed to “${name}”`, () => this.#renameBack(id, name, former));
    sent.catch(forget); // refused: the outbox keeps it
  }

  #renameBack(id, value, name) {
    const entry = this.#lists.entries.find(({ row }) => row.id === id);
    if (entry?.row.name !== value) throw new RangeError("Somebody has changed it since.");
    this.#lists.update(id, { name });
  }

  async #delete() {
    const { id, name, members } = this.#row;
    const text = members.length ? "Its items go with it, for everybody who shares it." : "Its items go with it.";
    if (!(await confirmed({ title: `Delete “${name}”?`, text, action: "Delete list" }))) return;
    this.#leaving(id);
    this.#lists.delete(id);
  }

  async #leave() {
    const { id, name, owner } = this.#row;
    const text = `${owner.username} can invite you again.`;
    if (!(await confirmed({ title: `Leave “${name}”?`, text, action: "Leave list" }))) return;
    this.#leaving(id);
    const me = encodeURIComponent(this.#user.username);
    this.#client.send("DELETE", `todo-lists/${id}/members/${me}/`).catch(refusal);
  }
}
