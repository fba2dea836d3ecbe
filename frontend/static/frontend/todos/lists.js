/** The lists in the sidebar. */

import { announce, h, icon, notice, patch, refresh } from "./dom.js";
import { refusal } from "./toast.js";

export class ListsView {
  #lists;
  #open;
  #element = document.getElementById("lists");
  #notice = document.getElementById("lists-notice");
  #current = null;

  /**
   * @param {import("../../realtime/realtime.js").Collection} lists
   * @param {(id: number, options?: object) => void} open
   */
  constructor(lists, open) {
    this.#lists = lists;
    this.#open = open;
    lists.on("change", ({ foreign }) => this.#render(foreign));
    lists.on("state", () => this.#render(new Set()));
    this.#element.addEventListener("click", (event) => this.#clicked(event));
    document.getElementById("new-list").addEventListener("submit", (event) => this.#create(event));
  }

  /** Marks the list that is shown. @param {number|null} id */
  select(id) {
    this.#current = id;
    for (const item of this.#element.children) this.#mark(item);
  }

  /** Shows none of them. */
  forget() {
    this.#element.replaceChildren();
    this.#notice.replaceChildren();
  }

  #render(foreign) {
    const { state } = this.#lists;
    if (state === "failed") {
      const text = "The server can’t be reached. Trying again…";
      return this.#notice.replaceChildren(notice({ title: "No connection", text }));
    }
    if (state !== "live") return;
    this.#element.removeAttribute("aria-busy");
    const { entries } = this.#lists;
    patch(this.#element, entries, createItem, (item, entry) => this.#update(item, entry, foreign));
    const text = "Make your first one below, or ask somebody to share theirs.";
    this.#notice.replaceChildren(...(entries.length ? [] : [notice({ title: "No lists yet", text })]));
  }

  #update(item, { key, row, pending, queued }, foreign) {
    const link = item.firstElementChild;
    const [name, shared] = link.children;
    if (name.textContent !== row.name) name.textContent = row.name;
    const people = row.members?.length ?? 0;
    shared.hidden = !people;
    shared.lastElementChild.textContent = `${people + 1}`;
    shared.title = `Shared by ${people + 1} people`;
    link.href = `?list=${row.id}`;
    link.classList.toggle("pending", pending);
    link.title = queued ? "Waiting to be sent" : "";
    item.dataset.id = row.id;
    this.#mark(item);
    if (foreign.has(key)) {
      refresh(link);
      announce(`List ${row.name} has changed.`);
    }
  }

  #mark(item) {
    const link = item.querySelector("a");
    if (item.dataset.id === String(this.#current)) link?.setAttribute("aria-current", "page");
    else link?.removeAttribute("aria-current");
  }

  #clicked(event) {
    const link = event.target.closest("a");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    const id = Number(link.parentElement.dataset.id);
    if (id) this.#open(id, { focus: true });
  }

  async #create(event) {
    event.preventDefault();
    const form = event.target;
    const name = form.elements.name.value.trim();
    if (!name || this.#lists.state !== "live") return;
    form.reset();
    const list = await this.#lists.create({ name }).catch(refusal);
    if (list) this.#open(list.id, { add: true });
  }
}

function createItem() {
  const shared = h("span", { className: "shared" }, icon("people"), h("span"));
  return h("li", {}, h("a", {}, h("span", { className: "name" }), shared));
}
