/** The faces of those who look at the list. Each has a place for a while after leaving: a reload is no goodbye. */

import { avatar, h, patch } from "./dom.js";

const FACES = 4;
/** How long somebody who has left is still shown; in milliseconds. */
const GRACE = 2_500;

export class Present {
  #client;
  #user;
  #presence = null;
  /** The list whose visitors are shown. @type {number|null} */
  list = null;
  #shown = new Map(); // by id: name, and whether gone
  #timers = new Map();
  #element = document.getElementById("present");

  /** @param {import("../../realtime/realtime.js").Realtime} client @param {string} user id of whoever is looking */
  constructor(client, user) {
    this.#client = client;
    this.#user = user;
  }

  /** Those who look at this list. @param {number|null} list */
  show(list) {
    this.list = list;
    this.#presence?.close();
    this.#presence = null;
    this.#timers.forEach((timer) => clearTimeout(timer));
    this.#timers.clear();
    this.#shown.clear();
    this.#render();
    if (list === null) return;
    const presence = this.#client.presence(`presence-todo-list.${list}`);
    presence.on("change", () => presence === this.#presence && this.#changed());
    this.#presence = presence;
  }

  #changed() {
    const { members } = this.#presence;
    for (const { id, info } of members) {
      clearTimeout(this.#timers.get(id));
      this.#timers.delete(id);
      this.#shown.set(id, String(info?.name ?? id));
    }
    const here = new Set(members.map(({ id }) => id));
    for (const id of this.#shown.keys()) {
      if (here.has(id) || this.#timers.has(id)) continue;
      this.#timers.set(id, setTimeout(() => this.#forget(id), GRACE));
    }
    this.#render();
  }

  #forget(id) {
    this.#timers.delete(id);
    this.#shown.delete(id);
    this.#render();
  }

  #render() {
    const people = [...this.#shown].map(([id, name]) => ({ key: id, name, self: id === this.#user }));
    people.sort((one, other) => one.self - other.self); // oneself last: the others are what is of interest
    const shown = people.length > FACES ? people.slice(0, FACES - 1) : people;
    const rest = people.slice(shown.length).map(label);
    const entries = rest.length ? [...shown, { key: "rest", rest }] : shown;
    patch(this.#element, entries, createFace, updateFace);
    this.#element.hidden = !entries.length;
  }
}

function createFace() {
  return h("li", {}, h("span", { className: "avatar", "aria-hidden": "true" }), h("span", { className: "hidden" }));
}

function updateFace(element, entry) {
  const [face, text] = element.children;
  const said = entry.rest ? `and ${entry.rest.join(", ")}` : label(entry);
  if (text.textContent === said) return;
  text.textContent = said;
  element.title = entry.rest ? entry.rest.join(", ") : said;
  element.classList.toggle("rest", Boolean(entry.rest));
  if (entry.rest) face.textContent = `+${entry.rest.length}`;
  else avatar(entry.name, face);
}

function label({ name, self }) {
  return self ? `${name} (you)` : name;
}
