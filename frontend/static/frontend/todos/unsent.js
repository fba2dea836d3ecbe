/**
 * What the server has refused, and the outbox keeps until the user has seen to it: shown at its item, or above the list
 * if that is gone. Nothing that was typed is lost.
 */

import { entityTag } from "../../realtime/realtime.js";
import { conflictCard, goneCard, refusedCard, textField } from "./cards.js";
import { announce } from "./dom.js";

export class Unsent {
  #outbox;
  #find;
  #restore;
  #cards = new Map(); // by the letter's id
  #seen = new Set();
  #hosts = [document.getElementById("unsent"), document.getElementById("unsent-elsewhere")];

  /**
   * @param {import("../../realtime/realtime/outbox.js").Outbox} outbox
   * @param {object} page
   * @param {(letter: object) => {entry: object, element: HTMLElement}|null} page.find what a letter is about, if it is shown
   * @param {(letter: object) => void} page.restore creates anew what a letter was about, as it says
   */
  constructor(outbox, { find, restore }) {
    this.#outbox = outbox;
    this.#find = find;
    this.#restore = restore;
    outbox.on("change", () => this.render());
  }

  /** Shows it as it is now. */
  render() {
    this.#tidy();
    const { refused } = this.#outbox;
    const ids = new Set(refused.map(({ id }) => id));
    for (const [id, card] of this.#cards) {
      if (ids.has(id)) continue;
      card.remove();
      this.#cards.delete(id);
    }
    for (const letter of refused) this.#place(letter);
    for (const host of this.#hosts) host.hidden = !host.childElementCount;
  }

  #place(letter) {
    const found = this.#find(letter);
    const card = this.#cards.get(letter.id) ?? this.#create(letter);
    const [inList, elsewhere] = this.#hosts;
    const host = found?.element ?? (inList.closest("[hidden]:not(#unsent)") ? elsewhere : inList);
    if (card.parentElement !== host) host.append(card);
    card.update?.();
    if (this.#seen.has(letter.id)) return;
    this.#seen.add(letter.id);
    announce(`Not saved. ${card.firstElementChild.textContent}`, "connection");
    card.scrollIntoView({ block: "nearest" });
  }

  #create(letter) {
    const { id, error } = letter;
    const dismiss = () => this.#end(letter, () => this.#outbox.dismiss(id));
    const retry = (changes) => this.#end(letter, () => this.#outbox.retry(id, changes));
    let card = null;
    if (error.status === 412 && textField(letter)) card = this.#conflict(letter, { dismiss, retry });
    else if (error.status === 404 && letter.kind === "update") {
      const again = () =>
        this.#end(letter, () => {
          this.#restore(letter);
          this.#outbox.dismiss(id);
        });
      card = goneCard(letter, { again, dismiss });
    } else card = refusedCard(letter, { retry: () => retry({ match: null }), dismiss });
    this.#cards.set(id, card);
    return card;
  }

  #conflict(letter, { dismiss, retry }) {
    const field = textField(letter);
    const now = () => this.#find(letter)?.entry.base ?? letter.error.data.current;
    // It may only replace what the user was shown.
    const send = async (text) => {
      const match = (await entityTag(now())) ?? letter.error.etag;
      retry({ match, was: now(), data: { ...letter.data, [field]: text } });
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
    const { element } = this.#find(letter) ?? {};
    act();
    (element?.querySelector("button.text") ?? document.getElementById("add-text")).focus({ preventScroll: true });
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
