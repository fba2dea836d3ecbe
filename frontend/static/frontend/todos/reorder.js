/**
 * Moves the children of a list: drags them by their handle, or by arrow keys while it has focus. A handle that is only
 * pressed offers the same as buttons, for those who can do neither.
 */

import { openDialog } from "./dialogs.js";
import { announce, h } from "./dom.js";

const EDGE = 48;
const SPEED = 9;
/** Less movement than this is a press; in pixels. */
const SLACK = 4;

/**
 * @param {HTMLElement} list
 * @param {object} options
 * @param {(key: string, after: string|null, before: string|null) => void} options.move which one, and
 *   its neighbours to be: by keys, for others may change the list during a drag
 * @param {() => void} options.ended a drag is over, moved or not
 * @returns {{readonly active: boolean}} whether a drag is going on: the list must not be patched then
 */
export function reorder(list, { move, ended }) {
  let drag = null;
  let dragged = false;
  const moveTo = (from, to) => {
    const keys = [...list.children].map((row) => row.dataset.key);
    const [key] = keys.splice(from, 1);
    move(key, keys[to - 1] ?? null, keys[to] ?? null);
  };
  list.addEventListener("pointerdown", (event) => {
    const handle = event.target.closest(".handle");
    if (!handle || event.button || drag) return;
    event.preventDefault();
    handle.focus({ preventScroll: true });
    handle.setPointerCapture(event.pointerId);
    drag = new Drag(list, handle, event, (from, to, { moved, kept }) => {
      drag = null;
      if (to !== from) moveTo(from, to);
      else if (moved && !kept) announce("Not moved.");
      dragged = true;
      setTimeout(() => (dragged = false)); // after the click that ends a drag, if one comes
      ended();
      if (kept && !moved) offerMoves(list, handle, moveTo);
    });
  });
  // By the keyboard, or by a screen reader.
  list.addEventListener("click", ({ target }) => {
    const handle = target.closest(".handle");
    if (handle && !dragged) offerMoves(list, handle, moveTo);
  });
  list.addEventListener("keydown", (event) => {
    if (!event.target.closest(".handle") && !event.altKey) return;
    const from = [...list.children].indexOf(event.target.closest("li"));
    const last = list.children.length - 1;
    const to = { ArrowUp: from - 1, ArrowDown: from + 1, Home: 0, End: last }[event.key];
    if (to === undefined || from < 0 || drag) return;
    event.preventDefault();
    if (to >= 0 && to <= last && to !== from) moveTo(from, to);
  });
  return {
    get active() {
      return drag !== null;
    },
  };
}

function offerMoves(list, handle, moveTo) {
  const row = handle.closest("li");
  const place = () => [...list.children].indexOf(row);
  const end = () => list.children.length - 1;
  // Where to is asked when it is pressed: others may have changed the list meanwhile.
  const choices = [
    ["Up", () => place() - 1],
    ["Down", () => place() + 1],
    ["To the top", () => 0],
    ["To the end", end],
  ];
  const isPlace = (to) => to >= 0 && to <= end() && to !== place();
  const buttons = choices.map(([label, to]) => {
    const click = () => {
      dialog.close();
      if (row.isConnected && isPlace(to())) moveTo(place(), to());
    };
    return h("button", { type: "button", className: "button", textContent: label, disabled: !isPlace(to()), on: { click } });
  });
  const dialog = openDialog(handle.getAttribute("aria-label"), h("div", { className: "moves" }, ...buttons));
  dialog.addEventListener("close", () => handle.focus({ preventScroll: true }));
  buttons.find(({ disabled }) => !disabled)?.focus();
}

class Drag {
  #list;
  #rows;
  #row;
  #from;
  #to;
  #start;
  #y;
  #startY;
  #boxes;
  #most;
  #frame = 0;
  #listeners = new AbortController();
  #done;

  constructor(list, handle, event, done) {
    this.#list = list;
    this.#rows = [...list.children];
    this.#row = handle.closest("li");
    this.#from = this.#to = this.#rows.indexOf(this.#row);
    this.#boxes = this.#rows.map((row) => ({ top: row.offsetTop, height: row.offsetHeight }));
    // Measured now: what is lifted must not make the list longer than it is.
    this.#most = Math.max(0, list.scrollHeight - list.clientHeight);
    this.#start = event.clientY + list.scrollTop;
    this.#y = this.#startY = event.clientY;
    this.#done = done;
    list.classList.add("sorting");
    this.#row.classList.add("lifted");
    const { signal } = this.#listeners;
    handle.addEventListener("pointermove", ({ clientY }) => (this.#y = clientY), { signal });
    handle.addEventListener("pointerup", () => this.#end(true), { signal });
    handle.addEventListener("lostpointercapture", () => this.#end(false), { signal });
    addEventListener("keydown", ({ key }) => key === "Escape" && this.#end(false), { signal });
    this.#follow();
  }

  #follow() {
    const { top, bottom } = this.#list.getBoundingClientRect();
    if (this.#y < top + EDGE) this.#scrollBy(-SPEED);
    else if (this.#y > bottom - EDGE) this.#scrollBy(SPEED);
    this.#place();
    this.#frame = requestAnimationFrame(() => this.#follow());
  }

  #scrollBy(distance) {
    const from = this.#list.scrollTop;
    const to = Math.min(Math.max(0, from + distance), this.#most);
    if (to !== from) this.#list.scrollTop = to;
  }

  #place() {
    const by = this.#y + this.#list.scrollTop - this.#start;
    const box = this.#boxes[this.#from];
    const centre = box.top + by + box.height / 2;
    this.#to = this.#boxes.filter((other, index) => {
      return index !== this.#from && other.top + other.height / 2 < centre;
    }).length;
    this.#rows.forEach((row, index) => {
      let shift = 0;
      if (index === this.#from) shift = this.#within(by);
      else if (index > this.#from && index <= this.#to) shift = -box.height;
      else if (index < this.#from && index >= this.#to) shift = box.height;
      row.style.setProperty("transform", shift ? `translateY(${shift}px)` : "none");
    });
  }

  /** Not beyond the other rows: the list would grow by it, and could be scrolled on and on. */
  #within(by) {
    const box = this.#boxes[this.#from];
    const [first, last] = [this.#boxes[0], this.#boxes.at(-1)];
    return Math.min(Math.max(by, first.top - box.top), last.top + last.height - box.top - box.height);
  }

  #end(keep) {
    if (keep) this.#place();
    this.#listeners.abort();
    cancelAnimationFrame(this.#frame);
    this.#list.classList.remove("sorting");
    this.#row.classList.remove("lifted");
    for (const row of this.#rows) row.style.removeProperty("transform");
    const moved = Math.abs(this.#y - this.#startY) > SLACK || this.#to !== this.#from;
    this.#done(this.#from, keep ? this.#to : this.#from, { moved, kept: keep });
  }
}
