/** One item of a list. */

import { h, icon } from "./dom.js";
import { edit } from "./edit.js";

const LIMIT = 500;

/**
 * @param {string} key
 * @param {object} actions
 * @param {(key: string, data: object) => void} actions.update
 * @param {(key: string) => void} actions.remove
 */
export function createItem(key, { update, remove }) {
  const startEditing = () => {
    item.classList.add("has-editor");
    edit(words, {
      value: text.textContent,
      label: "Text",
      limit: LIMIT,
      className: "text",
      save: (value) => update(key, { text: value }),
      ended: () => item.classList.remove("has-editor"),
    });
  };
  const check = h("input", {
    type: "checkbox",
    on: { change: () => update(key, { done: check.checked }) },
  });
  const text = h("button", { type: "button", className: "text", on: { click: startEditing } });
  const words = h("div", { className: "words" }, text);
  const handle = h("button", { type: "button", className: "handle", "aria-describedby": "reorder-help" }, icon("grip"));
  // A blur of the field would come first and lay the row out anew under the finger.
  const hold = (event) => event.preventDefault();
  const bin = h(
    "button",
    { type: "button", className: "remove", on: { click: () => remove(key), pointerdown: hold, mousedown: hold } },
    icon("trash"),
  );
  const item = h("li", { className: "item" }, h("label", { className: "check" }, check), words, handle, bin);
  Object.assign(item, { parts: { check, text, handle, bin } });
  return item;
}

/** Shows an item's state. */
export function updateItem(item, { row, pending }) {
  const { check, text, handle, bin } = item.parts;
  item.classList.toggle("done", row.done);
  item.classList.toggle("pending", pending);
  check.checked = row.done;
  if (text.textContent === row.text) return;
  text.textContent = row.text;
  check.setAttribute("aria-label", row.text);
  text.setAttribute("aria-label", `Edit “${row.text}”`);
  handle.setAttribute("aria-label", `Move “${row.text}”`);
  bin.setAttribute("aria-label", `Delete “${row.text}”`);
}

/** Up and down arrow keys go from one item's checkbox to the next. */
export function walkWithArrows(list) {
  list.addEventListener("keydown", (event) => {
    if (event.target.type !== "checkbox" || event.altKey) return;
    const item = event.target.closest("li");
    const next = { ArrowUp: item.previousElementSibling, ArrowDown: item.nextElementSibling }[event.key];
    if (!next) return;
    event.preventDefault();
    next.parts.check.focus();
  });
}
