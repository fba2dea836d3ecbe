/** What the server has not taken: each such change in words, both versions, and what can be done about it. */

import { copied } from "./clipboard.js";
import { h } from "./dom.js";
import { edit } from "./edit.js";
import { reason } from "./reasons.js";
import { toast } from "./toast.js";

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

/** What was changed is not there any more: it was `deleted`, or its list is not there either, of which the page has yet to hear. */
export function goneCard(letter, { deleted, again, dismiss }) {
  const field = textField(letter);
  const name = `“${letter.was?.text ?? letter.was?.name ?? ""}”`;
  // Of a list, only that much is known: it may be there for others.
  const item = `${name} ${deleted ? "was deleted meanwhile" : "is not there any more"}`;
  const [title, label] = field === "name" ? [`You can’t see the list ${name} any more`, "Make a new list"] : [item, "Add it again"];
  const actions = field ? [button(label, again, "primary"), button("Discard", dismiss)] : [button("Dismiss", dismiss)];
  return card(title, written(letter), ...actions);
}

/** The list of what was changed may not be seen any more: all that can be done is to take the text elsewhere. */
export function lostCard(letter, { dismiss }) {
  const { kind, was } = letter;
  const list = kind === "create" ? "its list" : `the list of “${was?.text ?? ""}”`;
  const field = textField(letter);
  const copy = async () => {
    if (await copied(letter.data[field])) toast("Copied.");
    else toast("This browser did not allow copying.", { error: true });
  };
  const actions = field ? [button("Copy", copy), button("Discard", dismiss)] : [button("Dismiss", dismiss)];
  return card(`Not saved: you can’t see ${list} any more`, written(letter), ...actions);
}

/** The server has refused it for another reason. */
export function refusedCard(letter, { retry, dismiss }) {
  const text = h("p", { textContent: describe(letter) });
  return card(`Not saved: ${reason(letter.error)}`, text, button("Try again", retry, "primary"), button("Discard", dismiss));
}

/** The text that somebody wrote, or what else was done. */
function written(letter) {
  const field = textField(letter);
  return h("p", { className: field ? "mine" : "", textContent: field ? `You wrote: ${letter.data[field]}` : describe(letter) });
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
