/** How long to wait before the next attempt: exponential with full jitter, at most 30 s. */

const CAP = 30_000;

export class Backoff {
  /** Mean delay before the first repetition, in milliseconds; the server may set it. */
  base = 2000;
  #failures = 0;

  /** The delay that this failure asks for, in milliseconds. */
  next() {
    const limit = Math.min(CAP, this.base * 2 ** this.#failures);
    this.#failures += 1;
    return Math.random() * limit;
  }

  /** All is well again. */
  reset() {
    this.#failures = 0;
  }
}
