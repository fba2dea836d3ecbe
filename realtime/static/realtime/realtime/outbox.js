/**
 * Writes on their way to the server: sent at once, one after the other for each row. With a shelf, those
 * that can't be sent wait there, outlive the page, and go out in order when the server is back.
 *
 * No write takes effect twice. An answer that was lost leaves open whether the write was done; so before
 * such a write is sent again, the log is asked for events with its mutation id, from a position that the
 * page had before it sent it first. Where the log can't say (it was pruned), a creation is not repeated:
 * that is for the user to decide.
 */

import { Backoff } from "./backoff.js";
import { Emitter } from "./emitter.js";
import { ApiError } from "./http.js";
import { compose, hold, isPassing, isUnseen, look, result, same, send } from "./letters.js";

const LOST = "It isn’t known whether this has arrived. Look before you send it again.";

/** Emits `change`, and `return` when there are letters again that collections have to show. */
export class Outbox extends Emitter {
  #http;
  #shelf;
  #letters = [];
  #outcomes = new Map(); // by id
  #flights = new Set();
  #backoff = new Backoff();
  #timer = 0;
  #draining = false;

  /**
   * @param {import("./http.js").Http} http
   * @param {import("./shelf.js").Shelf|null} [shelf] without one, nothing waits
   */
  constructor(http, shelf = null) {
    super();
    this.#http = http;
    this.#shelf = shelf;
    addEventListener("online", () => this.wake());
    shelf?.open((letters) => this.#adopt(letters));
  }

  /** Those that are not done, in order. @returns {import("./letters.js").Letter[]} */
  get letters() {
    return this.#letters;
  }

  /** How many wait for the server. */
  get waiting() {
    return this.#letters.filter(({ state, deferred }) => deferred && state !== "refused").length;
  }

  /** Those that the server has refused, and the user has not seen to. */
  get refused() {
    return this.#letters.filter(({ state }) => state === "refused");
  }

  /**
   * Sends a write when its turn has come.
   * @param {Partial<import("./letters.js").Letter>} write
   * @param {() => void} [sending] called each time before it is sent
   * @returns {import("./letters.js").Letter} see `outcome`
   */
  add(write, sending = () => {}) {
    const letter = compose(write);
    this.#letters.push(letter);
    this.#outcomeOf(letter).sending = sending;
    this.#enqueue(letter);
    return letter;
  }

  /** What becomes of a letter: the server's answer, or an ApiError. @returns {Promise<any>} */
  outcome({ id }) {
    return this.#outcomes.get(id)?.promise ?? Promise.reject(new ApiError(0));
  }

  /** Sends one that was refused once more; what is given replaces what it said. */
  retry(id, changes = {}) {
    const letter = this.#find(id, "refused");
    if (!letter) return;
    Object.assign(letter, changes, { state: "new", error: null, uncertain: false, deferred: false });
    this.#outcomeOf(letter);
    this.#letters = [...this.#letters.filter((other) => other !== letter), letter];
    this.emit("return");
    this.#enqueue(letter);
  }

  /** Forgets one that was refused. */
  dismiss(id) {
    const letter = this.#find(id, "refused");
    if (letter) this.#remove(letter);
  }

  /** The server can be reached, it seems. */
  wake() {
    if (this.#stuck) this.#drain();
  }

  /** An event of the stream: perhaps one that says that a write is done, though its answer was lost. */
  heard({ mutation, type, data }) {
    const letter = mutation && this.#find(mutation, "waiting");
    if (letter) this.#done(letter, result(letter, type, data));
  }

  #enqueue(letter) {
    if (this.#stuck || (this.#shelf && isOffline())) hold(letter);
    this.#changed();
    this.#pump();
  }

  get #stuck() {
    return this.#letters.some(({ state }) => state === "waiting");
  }

  #find(id, state) {
    return this.#letters.find((letter) => letter.id === id && letter.state === state);
  }

  #outcomeOf(letter) {
    const outcome = { sending: () => {} };
    outcome.promise = new Promise((resolve, reject) => Object.assign(outcome, { resolve, reject }));
    outcome.promise.catch(() => {}); // whoever does not wait for it listens to the collection
    this.#outcomes.set(letter.id, outcome);
    return outcome;
  }

  /** Letters of before, of this page or of one that is no more. */
  #adopt(letters) {
    const known = new Set(this.#letters.map(({ id }) => id));
    const found = letters.filter(({ id }) => !known.has(id));
    for (const letter of found) {
      this.#outcomeOf(letter);
      if (letter.state === "refused") continue;
      hold(letter);
      letter.uncertain ||= letter.attempts > 0;
    }
    this.#letters = [...found, ...this.#letters];
    this.#changed();
    this.emit("return");
    this.wake();
  }

  // Sending

  #pump() {
    if (this.#stuck) return;
    for (const letter of this.#letters) {
      if (letter.state === "new" && !this.#isBlocked(letter)) this.#dispatch(letter);
    }
  }

  /** Whether an earlier one of the same row is not done. */
  #isBlocked(letter) {
    return this.#letters.slice(0, this.#letters.indexOf(letter)).some(({ id, row, resource, state }) => {
      return state !== "refused" && resource === letter.resource && (same(row, letter.row) || id === letter.row);
    });
  }

  #dispatch(letter) {
    const flight = this.#fly(letter).finally(() => this.#flights.delete(flight));
    this.#flights.add(flight);
    return flight;
  }

  async #fly(letter) {
    letter.state = "sending";
    letter.attempts += 1;
    this.#save();
    this.#outcomes.get(letter.id).sending();
    try {
      const { data } = await send(this.#http, letter);
      this.#backoff.reset();
      this.#done(letter, data);
    } catch (error) {
      // Somebody else was faster; it is gone, as wished.
      if (letter.kind === "delete" && error.status === 404) this.#done(letter, null);
      else if (this.#shelf && isPassing(error)) {
        letter.uncertain ||= !isUnseen(error);
        this.#defer(letter, error.retryAfter);
      } else this.#refuse(letter, error);
    }
  }

  #defer(letter, retryAfter = null) {
    [letter, ...this.#letters.filter(({ state }) => state === "new")].forEach(hold);
    clearTimeout(this.#timer);
    const delay = Math.max(this.#backoff.next(), (retryAfter ?? 0) * 1000);
    this.#timer = setTimeout(() => this.#drain(), delay);
    this.#changed();
  }

  /** Sends what waits, in order, until something has to wait again. */
  async #drain() {
    if (this.#draining || isOffline()) return;
    this.#draining = true;
    clearTimeout(this.#timer);
    try {
      await Promise.all(this.#flights);
      for (;;) {
        const letter = this.#letters.find(({ state }) => state === "waiting");
        if (!letter) break;
        if (letter.uncertain ? !(await this.#clears(letter)) : !(await this.#leaves(letter))) break;
      }
    } finally {
      this.#draining = false;
    }
    this.#pump();
  }

  /** Sends a letter; whether it need not wait any more. */
  async #leaves(letter) {
    await this.#dispatch(letter);
    return letter.state !== "waiting";
  }

  /** Finds out whether a letter whose answer was lost has arrived; whether that is clear now. */
  async #clears(letter) {
    try {
      const found = await look(this.#http, letter);
      if (letter.state !== "waiting") return true; // its event came meanwhile
      letter.uncertain = false;
      if (found) this.#done(letter, result(letter, found.event, found.data.data));
    } catch (error) {
      if (letter.state !== "waiting") return true;
      if (isPassing(error)) this.#defer(letter, error.retryAfter);
      else if (letter.kind === "create") this.#refuse(letter, new ApiError(0, { detail: LOST }));
      else letter.uncertain = false; // to say the same of a row once more does no harm
    }
    return !letter.uncertain || letter.state !== "waiting";
  }

  // Ends

  #done(letter, data) {
    if (letter.kind === "create" && data) this.#rename(letter, data.id);
    const { resolve } = this.#outcomes.get(letter.id);
    letter.state = "done";
    this.#remove(letter);
    resolve(data);
    if (!this.#draining) this.#pump();
  }

  /** Later letters about a created row get its id. */
  #rename({ id }, row) {
    for (const other of this.#letters) if (other.row === id) other.row = row;
  }

  #refuse(letter, error) {
    const { reject } = this.#outcomes.get(letter.id);
    const kept = this.#shelf !== null && (letter.deferred || letter.keep);
    if (kept) {
      const { status, message: text, data, etag } = error;
      Object.assign(letter, { state: "refused", error: { status, text, data, etag } });
    } else this.#remove(letter);
    if (letter.kind === "create") this.#refuseFollowers(letter, kept, error);
    this.#changed();
    reject(Object.assign(error, { kept }));
    if (!this.#draining) this.#pump();
  }

  /** What was written about a row that does not come to be: it is part of its creation, should that be repeated. */
  #refuseFollowers(letter, kept, error) {
    for (const other of this.#letters.filter(({ row }) => row === letter.id)) {
      if (kept && other.kind === "update") Object.assign(letter.data, other.data);
      this.#letters = this.#letters.filter((one) => one !== other && !(other.kind === "delete" && one === letter));
      this.#outcomes.get(other.id).reject(Object.assign(new ApiError(error.status, error.data), { kept }));
    }
  }

  #remove(letter) {
    this.#letters = this.#letters.filter((other) => other !== letter);
    this.#outcomes.delete(letter.id);
    this.#changed();
  }

  #changed() {
    this.#save();
    this.emit("change");
  }

  #save() {
    this.#shelf?.save(this.#letters);
  }
}

function isOffline() {
  return globalThis.navigator?.onLine === false;
}
