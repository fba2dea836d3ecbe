/** What the server has not taken: each such change in words, both versions, and what can be done about it. */

import { h } from "./dom.js";
import { edit } from "./edit.js";

const LIMIT = { text: 500, name: 100 };

/** The field of a change that people write: "text" of an item, "name" of a list. */
export function textField({ data }) {
  return ["text", "name"].find((name) => typeof data?.[name] === "string") ?? null;
}

/** A change in words. */
export function describe({ kind, data, was }) {
  const field = textField({ data });
  const name = `“${was?.text ?? was?.name ?? data?.[field] ?? ""}”`;
  if (kind === "create") return `Add ${name}`;
  if (kind === "delete") return `Delete ${name}`;
  if (field) return `Change ${name} to “${data[field]}”`;
  if ("done" in data) return `${data.done ? "Tick off" : "Untick"} ${name}`;
  return "position" in data ? `Move ${name}` : `Change ${name}`;
}

/**
 * Somebody else has changed the same text.
 * @param {import("../../realtime/realtime/letters.js").Letter} letter
 * @param {object} act
 * @param {() => string} act.theirs the text as it is now
 * @param {() => void} act.keep
 * @param {() => void} act.take
 * @param {(text: string) => void} act.save another text
 */
export function conflictCard(letter, { theirs, keep, take, save }) {
  const field = textField(letter);
  const mine = letter.data[field];
  const other = h("dd");
  const own = h("dd", { className: "mine" }, h("span", { textContent: mine }));
  const again = () => {
    edit(own, { value: mine, label: "Your text", limit: LIMIT[field], className: "", save });
  };
  const element = card(
    "Changed by somebody else meanwhile",
    h("dl", {}, h("div", {}, h("dt", { textContent: "Yours" }), own), h("div", {}, h("dt", { textContent: "Theirs" }), other)),
    button("Keep mine", keep, "primary"),
    button("Take theirs", take),
    button("Edit again", again),
  );
  element.update = () => (other.textContent = theirs());
  return element;
}

/** What was changed is not there any more. */
export function goneCard(letter, { again, dismiss }) {
  const field = textField(letter);
  const title = `“${letter.was?.text ?? letter.was?.name ?? ""}” was deleted meanwhile`;
  const text = h("p", { className: field ? "mine" : "", textContent: field ? `You wrote: ${letter.data[field]}` : describe(letter) });
  const actions = field ? [button("Add it again", again, "primary"), button("Discard", dismiss)] : [button("Dismiss", dismiss)];
  return card(title, text, ...actions);
}

/** The server has refused it for another reason. */
export function refusedCard(letter, { retry, dismiss }) {
  const text = h("p", { textContent: describe(letter) });
  return card(`Not saved: ${letter.error.text}`, text, button("Try again", retry, "primary"), button("Discard", dismiss));
}

let count = 0;

function card(title, content, ...buttons) {
  const id = `card-${(count += 1)}`;
  return h(
    "section",
    { className: "card-unsent", role: "group", "aria-labelledby": id, tabIndex: -1 },
    h("p", { className: "card-title", id, textContent: title }),
    content,
    h("div", { className: "card-actions" }, ...buttons),
  );
}

function button(label, click, kind = "") {
  return h("button", { type: "button", className: `button ${kind}`, textContent: label, on: { click } });
}
