/**
 * Tells others that this page's user edits something, by a lease: whoever dies stops renewing it. Who edits what, others
 * learn as rows of a collection (`todo-items/editing`).
 */

/** How much of a lease goes by before it is renewed. */
const SHARE = 1 / 3;
/** Before the server has said how long a lease lasts, or when it can't be reached; in milliseconds. */
const PATIENCE = 5_000;

export class Editing {
  #http;
  #resource;
  #tab = Array.from(crypto.getRandomValues(new Uint32Array(3)), (number) => number.toString(36)).join("-");
  #marks = new Map(); // by id, the timer of its renewal

  /** @param {import("./http.js").Http} http @param {string} resource as in the URL: "todo-items" */
  constructor(http, resource) {
    this.#http = http;
    this.#resource = resource;
    addEventListener("pagehide", () => [...this.#marks.keys()].forEach((id) => this.#end(id)));
    addEventListener("pageshow", ({ persisted }) => persisted && [...this.#marks.keys()].forEach((id) => this.#renew(id)));
  }

  /**
   * Begins, and goes on until the end.
   * @param {any} id
   * @returns {() => void} ends it
   */
  begin(id) {
    if (!this.#marks.has(id)) this.#marks.set(id, 0);
    this.#renew(id);
    return () => {
      clearTimeout(this.#marks.get(id));
      if (this.#marks.delete(id)) this.#end(id);
    };
  }

  async #renew(id) {
    let wait = PATIENCE;
    try {
      const { data } = await this.#http.write("PUT", this.#url(id));
      wait = data.expires_in * 1000 * SHARE;
    } catch (error) {
      if (!error.temporary) return; // it is gone, or not ours any more
      wait = Math.max(wait, (error.retryAfter ?? 0) * 1000);
    }
    if (!this.#marks.has(id)) return this.#end(id); // ended while it was being begun: the end may have come first
    clearTimeout(this.#marks.get(id));
    this.#marks.set(id, setTimeout(() => this.#renew(id), wait));
  }

  #end(id) {
    this.#http.write("DELETE", this.#url(id)).catch(() => {}); // then the lease ends by itself
  }

  #url(id) {
    return this.#http.url(`${this.#resource}/${encodeURIComponent(id)}/editing/${this.#tab}/`);
  }
}
