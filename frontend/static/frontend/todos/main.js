/** The todo page: which list is shown, and what the page says when there is none. */

import { Realtime } from "../../realtime/realtime.js";
import { avatar, notice } from "./dom.js";
import { ItemsView } from "./items.js";
import { Inspector } from "./inspector.js";
import { ListsView } from "./lists.js";
import { Present } from "./present.js";
import { SheetHead } from "./sheet.js";
import { showStatus } from "./status.js";
import { refusal } from "./toast.js";
import { rememberedTransport } from "./transport.js";
import { History } from "./undo.js";
import { Unsent } from "./unsent.js";

const { api, key, user, username, login } = document.body.dataset;

class Page {
  #app = document.querySelector(".app");
  #panel = document.getElementById("panel");
  #sheet = document.getElementById("sheet");
  #notice = document.getElementById("panel-notice");
  #wide = matchMedia("(min-width: 720px)");
  #client = new Realtime({ base: api, transport: rememberedTransport(), websocket: { key }, queue: `todos.unsent.${user}` });
  #history = new History();
  #lists = this.#client.collection("todo-lists", { params: { ordering: "name,id", limit: 500 } });
  #head = new SheetHead(this.#client, this.#lists, { id: user, username }, (id) => (this.#leaving = id), this.#history);
  #sidebar = new ListsView(this.#lists, (id, options) => this.#open(id, options));
  #items = new ItemsView(this.#client, user, this.#history, {
    lost: (id) => this.#refused(id),
    live: (id) => this.#entered(id),
    rendered: () => this.#unsent.render(),
  });
  #present = new Present(this.#client, user);
  #unsent = new Unsent(this.#client.outbox, {
    find: (letter) => this.#items.find(letter),
    sees: (list) => this.#sees(list),
    isCurrent: () => this.#client.state === "open",
    rewritten: (...change) => this.#rewritten(...change),
  });
  #inspector = null;
  #id = null;
  #leaving = null; // the list that the user has just deleted or left
  #forbidden = new Set(); // lists whose items were refused, though they are still among the lists
  #seen = false; // whether the list that is shown has been among the lists

  start() {
    const buttons = document.querySelectorAll(".status");
    showStatus(this.#client, buttons, document.getElementById("connection"));
    this.#inspector = new Inspector(this.#client, buttons);
    avatar(username, document.querySelector(".account .avatar"));
    document.getElementById("back").addEventListener("click", () => this.#back());
    addEventListener("popstate", () => this.#show(fromAddress()));
    this.#wide.addEventListener("change", () => {
      this.#listsChanged();
      this.#nameParts();
    });
    this.#lists.on("change", () => this.#listsChanged());
    this.#client.onState(() => this.#unsent.render());
    this.#lists.on("state", () => this.#unsent.render());
    this.#lists.on("error", (error) => error.write && refusal(error));
    this.#lists.on("forbidden", () => this.#signedOut());
    this.#lists.subscribe().catch(() => {});
    this.#show(fromAddress());
  }

  #rewritten(letter, former, sent) {
    if (letter.resource === "todo-items") this.#items.rewritten(letter, former, sent);
    else this.#head.renamed(letter.row, former, letter.data.name, sent);
  }

  /** Whether a list is one of the user's, as far as is known; null while the first answer is awaited. */
  #sees(list) {
    const { state, items } = this.#lists;
    if (state === "idle" || state === "loading") return null;
    return !this.#forbidden.has(list) && (state !== "live" || (list ?? null) === null || items.some(({ id }) => id === list));
  }

  #refused(id) {
    this.#forbidden.add(id);
    this.#lost(id);
  }

  #entered(id) {
    this.#forbidden.delete(id);
    this.#present.show(id);
  }

  #open(id, { focus = false, add = false } = {}) {
    if (id !== this.#id) history.pushState({ from: "lists" }, "", address(id));
    this.#show(id);
    if (add) this.#items.focus();
    else if (focus && !this.#wide.matches) this.#panel.focus();
  }

  #back() {
    const { from } = history.state ?? {};
    const link = document.querySelector(`#lists [data-id="${this.#id}"] a`);
    if (from === "lists") history.back();
    else this.#away();
    link?.focus();
  }

  #away() {
    history.replaceState(null, "", address(null));
    this.#show(null);
  }

  #show(id) {
    if (id !== this.#id) this.#seen = false;
    this.#id = id;
    this.#app.dataset.view = id === null ? "lists" : "items";
    this.#listsChanged();
    this.#nameParts();
  }

  /** The page is about the lists while none of them is open; on a phone, they are all there is. */
  #nameParts() {
    const unopened = this.#app.dataset.view === "lists";
    const alone = unopened && !this.#wide.matches;
    document.querySelector(".sidebar").role = alone ? "main" : "complementary";
    document.getElementById("lists-title").ariaLevel = unopened ? "1" : null;
  }

  #listsChanged() {
    const known = this.#lists.state === "live";
    const lists = this.#lists.items.filter(({ id }) => Number.isInteger(id));
    if (this.#id === null && known && this.#wide.matches && lists.length) {
      history.replaceState(history.state, "", address(lists[0].id));
      return this.#show(lists[0].id);
    }
    const row = lists.find(({ id }) => id === this.#id) ?? null;
    if (known) this.#forbidden = new Set([...this.#forbidden].filter((id) => lists.some((list) => list.id === id)));
    this.#seen ||= row !== null;
    if (this.#id !== null && known && !row) return this.#lost(this.#id);
    this.#sidebar.select(this.#id);
    this.#sheet.hidden = this.#id === null && known;
    this.#head.show(row);
    this.#showItems(this.#id);
    this.#notice.replaceChildren(...(this.#sheet.hidden ? [this.#nothing()] : []));
  }

  #showItems(id) {
    this.#items.show(id);
    if (id !== this.#present.list) this.#present.show(null);
    this.#unsent.render();
  }

  #nothing() {
    const text = "Make your first list in the sidebar. Whoever you share it with sees each change as it happens.";
    return blank({ picture: "list", title: "Nothing to do, yet", text });
  }

  #lost(id) {
    if (id !== this.#id) return;
    if (id === this.#leaving) return this.#away();
    this.#showItems(null);
    this.#head.show(null);
    this.#sidebar.select(null);
    this.#sheet.hidden = true;
    const action = {
      label: this.#wide.matches ? "Show another list" : "Back to the lists",
      run: () => this.#away(),
    };
    const text = this.#seen
      ? "It was deleted, or you are no longer one of those who share it."
      : "It doesn’t exist, or nobody has shared it with you.";
    this.#notice.replaceChildren(blank({ picture: "list", title: "This list is not here", text, action, level: 1 }));
    this.#unsent.render(); // outside the sheet
  }

  /** Who comes by now is not to see what was shown. */
  #signedOut() {
    this.#showItems(null);
    this.#head.show(null);
    this.#sidebar.forget();
    this.#inspector.forget();
    for (const part of document.querySelectorAll(".sidebar nav, .account, .unsent")) part.hidden = true;
    this.#sheet.hidden = true;
    this.#app.dataset.view = "items";
    const action = { label: "Sign in", run: () => location.assign(`${login}?next=${encodeURIComponent(location.pathname + location.search)}`) };
    const text = "Your session has ended, here or in another window.";
    this.#notice.replaceChildren(blank({ picture: "list", title: "You are signed out", text, action, level: 1 }));
  }
}

function blank(options) {
  const element = document.createElement("div");
  element.className = "blank";
  element.append(notice(options));
  return element;
}

/** Where a list is shown, or none, by the same transport. */
function address(id) {
  const query = new URLSearchParams(location.search);
  if (id === null) query.delete("list");
  else query.set("list", id);
  return `${location.pathname}${query.size ? `?${query}` : ""}`;
}

function fromAddress() {
  const id = new URLSearchParams(location.search).get("list");
  return /^[0-9]{1,15}$/.test(id ?? "") ? Number(id) : null;
}

new Page().start();
