/** What the user has done lately, and can take back: by the toast, or one after the other by Ctrl+Z. */

import { announce } from "./dom.js";
import { toast } from "./toast.js";

const DEPTH = 20;
const KIND = "undo";

/** @typedef {() => void} Undo takes back what was done; throws if that can't be any more */

export class History {
  #done = [];

  constructor() {
    document.addEventListener("keydown", (event) => {
      const wanted = (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "z";
      if (!wanted || event.target.closest("input:not([type=checkbox]), textarea, dialog") || !this.#done.length) return;
      event.preventDefault();
      this.#undo(this.#done.at(-1));
    });
  }

  /**
   * Something was done.
   * @param {string} text
   * @param {Undo} undo
   * @returns {() => void} it was not, after all: there is nothing to undo
   */
  did(text, undo) {
    const step = { text, undo, close: () => {} };
    this.#done = [...this.#done, step].slice(-DEPTH);
    step.close = toast(text, { kind: KIND, action: { label: "Undo", run: () => this.#undo(step) } });
    return () => this.#forget(step);
  }

  #forget(step) {
    this.#done = this.#done.filter((other) => other !== step);
    step.close();
  }

  #undo(step) {
    if (!this.#done.includes(step)) return;
    this.#forget(step);
    try {
      step.undo();
      announce(`Undone: ${step.text}`);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      toast("This can’t be undone any more: somebody has changed it since.");
    }
  }
}
