/**
 * What the server has refused, and the outbox keeps until the user has seen to it: shown at its item, or above the list
 * if that is gone. Nothing that was typed is lost.
 */

import { entityTag } from "../../realtime/realtime.js";
import { conflictCard, goneCard, lostCard, refusedCard, textField } from "./cards.js";
import { announce } from "./dom.js";

export class Unsent {
  #outbox;
  #page;
  #cards = new Map(); // by the letter's id: its kind, and the element
  #hosts = [document.getElementById("unsent"), document.getElementById("unsent-elsewhere")];

  /**
   * @param {import("../../realtime/realtime/outbox.js").Outbox} outbox
   * @param {object} page
   * @param {(letter: object) => {entry: object, element: HTMLElement}|null} page.find what a letter is about, if it is shown
   * @param {(list: number) => boolean|null} page.sees whether the user may see a list; null while that is not known
   * @param {() => boolean} page.isCurrent whether what others do would be known by now
   * @param {(letter: object, former: string, sent: Promise<any>) => void} page.rewritten a text took the place of another
   */
  constructor(outbox, page) {
    this.#outbox = outbox;
    this.#page = page;
    outbox.on("change", () => this.render());
  }

  /** Shows it as it is now. */
  render() {
    this.#tidy();
    const { refused } = this.#outbox;
    const ids = new Set(refused.map(({ id }) => id));
    for (const [id, { element }] of this.#cards) {
      if (ids.has(id)) continue;
      element.remove();
      this.#cards.delete(id);
    }
    for (const letter of refused) if (this.#page.sees(listOf(letter)) !== null) this.#place(letter);
    for (const host of this.#hosts) host.hidden = !host.childElementCount;
  }

  #place(letter) {
    const found = this.#page.find(letter);
    const kind = this.#kindOf(letter);
    const shown = this.#cards.get(letter.id);
    const card = shown?.kind === kind ? shown.element : this.#create(letter, kind);
    const [inList, elsewhere] = this.#hosts;
    const host = found?.element ?? (inList.closest("[hidden]:not(#unsent)") ? elsewhere : inList);
    if (card.parentElement !== host) host.append(card);
    card.update?.();
    if (card === shown?.element) return;
    if (shown) replace(shown.element, card);
    const title = card.firstElementChild.textContent;
    announce(title.startsWith("Not saved") ? title : `Not saved. ${title}`, "connection");
    card.scrollIntoView({ block: "nearest" });
  }

  /** What is to be said of a letter; that changes with what is known of its list. */
  #kindOf(letter) {
    const { resource, row, kind, error } = letter;
    const seen = this.#page.sees(listOf(letter));
    if (!seen && resource === "todo-items") return "lost";
    if (error.status === 412 && textField(letter)) return "conflict";
    const there = resource === "todo-items" ? this.#page.find(letter) : seen && row !== null;
    if (error.status !== 404 || kind !== "update" || there) return "refused";
    return this.#page.isCurrent() ? "deleted" : "gone";
  }

  #create(letter, kind) {
    const { id, error } = letter;
    const dismiss = () => this.#end(letter, () => this.#outbox.dismiss(id));
    // Whatever comes of it, the text is kept until the server has it, or its user does not want it.
    const retry = (changes) => this.#end(letter, () => this.#outbox.retry(id, { ...changes, keep: true }));
    const again = () => retry(creation(letter));
    const element = {
      conflict: () => this.#conflict(letter, { dismiss, retry }),
      deleted: () => goneCard(letter, { deleted: true, again, dismiss }),
      gone: () => goneCard(letter, { deleted: false, again, dismiss }),
      lost: () => lostCard(letter, { dismiss }),
      // What has come back may have changed meanwhile.
      refused: () => refusedCard(letter, { retry: () => retry(error.status === 404 ? {} : { match: null }), dismiss }),
    }[kind]();
    this.#cards.set(id, { kind, element });
    return element;
  }

  #conflict(letter, { dismiss, retry }) {
    const field = textField(letter);
    const now = () => this.#page.find(letter)?.entry.base ?? letter.error.data.current;
    // It may only replace what the user was shown.
    const send = async (text) => {
      const was = now();
      const match = (await entityTag(was)) ?? letter.error.etag;
      if (letter.state !== "refused") return; // seen to meanwhile
      retry({ match, was, data: { ...letter.data, [field]: text } });
      this.#page.rewritten(letter, was[field], this.#outbox.outcome(letter));
    };
    return conflictCard(letter, {
      theirs: () => now()[field],
      keep: () => send(letter.data[field]),
      take: dismiss,
      save: send,
    });
  }

  /** The focus goes back to where the card was. */
  #end(letter, act) {
    const { element } = this.#page.find(letter) ?? {};
    act();
    const places = [element?.querySelector("button.text"), document.getElementById("add-text"), document.getElementById("panel")];
    places.find((place) => place && !place.closest("[hidden]")).focus({ preventScroll: true });
  }

  /** What needs nobody's decision. */
  #tidy() {
    for (const letter of this.#outbox.refused) {
      const field = textField(letter);
      if (!field || letter.kind !== "update") continue;
      const same = ({ id, row, resource, data }) => id !== letter.id && row === letter.row && resource === letter.resource && field in (data ?? {});
      const others = this.#outbox.letters.filter(same);
      const current = letter.error.data?.current?.[field];
      // Something newer was written in its place; or the same by both; or something else of the row has changed.
      if (others.some(({ at, state }) => state === "refused" && at > letter.at)) this.#outbox.dismiss(letter.id);
      else if (letter.error.status !== 412) continue;
      else if (current === letter.data[field]) this.#outbox.dismiss(letter.id);
      else if (current === letter.was?.[field]) this.#outbox.retry(letter.id, { match: letter.error.etag });
    }
  }
}

/** The list that a letter is about, or whose item. */
function listOf({ resource, row, data, was }) {
  return resource === "todo-lists" ? row : (data?.todo_list ?? was?.todo_list);
}

/** What makes a change of what is gone its creation, by the same letter: its text is in the outbox all the time. */
function creation({ resource, was, data }) {
  const { todo_list, text, done, position } = { ...was, ...data };
  const whole = resource === "todo-items" ? { todo_list, text, done, position } : { name: data.name };
  return { kind: "create", row: null, was: null, match: null, data: whole };
}

function replace(old, card) {
  const focused = old.contains(document.activeElement);
  if (focused) document.activeElement.blur(); // which saves what was typed
  old.remove();
  if (focused) card.focus({ preventScroll: true });
}
