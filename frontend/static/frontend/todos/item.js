/** One item of a list. */

import { avatar, h, icon } from "./dom.js";
import { edit } from "./edit.js";

const LIMIT = 500;

/**
 * @param {string} key
 * @param {object} actions
 * @param {(key: string, done: boolean) => void} actions.toggle
 * @param {(key: string) => {save: (text: string) => void, end: () => void}} actions.edit the text is being edited
 * @param {(key: string) => void} actions.remove
 */
export function createItem(key, { toggle, edit: begin, remove }) {
  const startEditing = () => {
    const session = begin(key);
    item.classList.add("has-editor");
    edit(words, {
      value: text.textContent,
      label: "Text",
      limit: LIMIT,
      className: "text",
      save: session.save,
      ended: () => {
        item.classList.remove("has-editor");
        session.end();
      },
    });
  };
  const check = h("input", {
    type: "checkbox",
    on: { change: () => toggle(key, check.checked) },
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
  const tags = h("p", { className: "tags" });
  const item = h("li", { className: "item" }, h("label", { className: "check" }, check), words, handle, bin, tags);
  Object.assign(item, { parts: { check, text, handle, bin, tags } });
  return item;
}

/** Shows an item's state, and who edits it. */
export function updateItem(item, { row, pending, queued = false, gone = false, editors = [] }) {
  const { check, text, handle, bin, tags } = item.parts;
  item.classList.toggle("done", row.done);
  item.classList.toggle("pending", pending);
  item.classList.toggle("queued", queued);
  item.classList.toggle("gone", gone);
  tag(tags, { editors, queued, gone });
  check.checked = row.done;
  if (text.textContent === row.text) return;
  text.textContent = row.text;
  check.setAttribute("aria-label", row.text);
  text.setAttribute("aria-label", `Edit “${row.text}”`);
  handle.setAttribute("aria-label", `Move “${row.text}”`);
  bin.setAttribute("aria-label", `Delete “${row.text}”`);
}

/** What is to be said of an item beside its text; it takes no room from it. */
function tag(element, { editors, queued, gone }) {
  const said = JSON.stringify([editors, queued, gone]);
  if (element.dataset.said === said) return;
  element.dataset.said = said;
  const shown = [];
  if (editors.length) shown.push(h("span", { className: "tag editing" }, avatar(editors[0]), h("span", { textContent: whoEdits(editors) })));
  if (queued) shown.push(h("span", { className: "tag waiting" }, h("span", { textContent: "Waiting to be sent" })));
  if (gone) shown.push(h("span", { className: "tag gone", textContent: "Deleted meanwhile" }));
  element.replaceChildren(...shown);
}

function whoEdits(names) {
  return names.length > 2 ? `${names[0]} and ${names.length - 1} others are editing` : `${names.join(" and ")} ${names.length > 1 ? "are" : "is"} editing`;
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
