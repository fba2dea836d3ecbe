/**
 * Where a user's unsent writes outlive the page. Each tab has a place of its own, and a lock on it for as long
 * as it lives: whoever finds a place without an owner takes over what lies there, so nothing is sent by two tabs.
 */

const TAB = "realtime.tab";

export class Shelf {
  #prefix;
  #tab;
  #storage;

  /**
   * @param {string} name of the application and of the user
   * @param {Storage} [storage]
   */
  constructor(name, storage = localStorage) {
    this.#prefix = `${name}.`;
    this.#storage = storage;
  }

  /**
   * Hands over what was left behind: at once, or when its owner has ended.
   * @param {(letters: import("./outbox.js").Letter[]) => void} adopt
   */
  open(adopt) {
    const { locks } = navigator;
    const former = sessionStorage.getItem(TAB);
    // Without locks (no HTTPS), a reload is all that can be told from another tab.
    this.#tab = locks || !former ? random() : former;
    sessionStorage.setItem(TAB, this.#tab);
    const places = this.#places();
    if (!locks) return this.#take(this.#prefix + this.#tab, adopt);
    locks.request(this.#prefix + this.#tab, () => new Promise(() => {})).catch(() => {});
    for (const place of places) locks.request(place, () => this.#take(place, adopt)).catch(() => {});
  }

  /** Keeps these, and no others. @param {import("./outbox.js").Letter[]} letters */
  save(letters) {
    const place = this.#prefix + this.#tab;
    try {
      if (letters.length) this.#storage.setItem(place, JSON.stringify(letters));
      else this.#storage.removeItem(place);
    } catch {
      // It is full, or forbidden: they last as long as the page.
    }
  }

  #places() {
    const names = Array.from({ length: this.#storage.length }, (_, index) => this.#storage.key(index));
    return names.filter((name) => name.startsWith(this.#prefix));
  }

  #take(place, adopt) {
    const letters = parse(this.#storage.getItem(place));
    if (!letters.length) return this.#storage.removeItem(place);
    adopt(letters); // which saves them in this tab's place, before they are taken from the other
    if (place !== this.#prefix + this.#tab) this.#storage.removeItem(place);
  }
}

function parse(text) {
  try {
    const letters = JSON.parse(text);
    return Array.isArray(letters) ? letters.filter((letter) => typeof letter?.id === "string") : [];
  } catch {
    return [];
  }
}

function random() {
  return Array.from(crypto.getRandomValues(new Uint32Array(2)), (number) => number.toString(36)).join("");
}
