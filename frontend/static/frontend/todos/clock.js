/**
 * How far the server's clock is from this page's, as far as it can be known. Pure but for the time.
 *
 * Each answer of the server sets bounds. Its `Date` is in whole seconds, and servers look at the clock for it but once a second: it
 * is at most two seconds older than the answer, which was written between the moments when the request was sent and the answer
 * came. A time that the server put into what it created was, too. And a change was not written after it came. The difference is within all bounds at once, which narrows it to some milliseconds. Since clocks drift, bounds widen as they age.
 */

/** How much older than the answer its `Date` may be; in milliseconds. */
const AGE = 2000;
/** How far clocks may drift apart: 1 in 10,000. */
const DRIFT = 1e-4;

export class Clock {
  #low = -Infinity;
  #high = Infinity;
  #at = 0;

  /** Whether there are bounds on both sides. */
  get isSet() {
    return Number.isFinite(this.#high - this.#low);
  }

  /**
   * An answer whose `Date` header and, if it created something, whose time of creation are known.
   * @param {number} sent when the request was sent, in milliseconds of `performance.now()`
   * @param {number} received
   * @param {number} date in milliseconds since 1970
   * @param {number} [created]
   */
  answered(sent, received, date, created = NaN) {
    if (!Number.isNaN(date)) this.#bound(date - received, date + AGE - sent, received);
    if (!Number.isNaN(created)) this.#bound(created - received, created - sent, received);
  }

  /** The server had written this at `written`, and it has come at `received`. */
  heard(written, received) {
    this.#bound(written - received, Infinity, received);
  }

  /**
   * How long ago the server's clock showed `written`, at the moment `now`.
   * @returns {{milliseconds: number, error: number}|null} the truth is at most `error` away
   */
  since(written, now) {
    if (!this.isSet || Number.isNaN(written)) return null;
    const [low, high] = this.#aged(now);
    return { milliseconds: now + (low + high) / 2 - written, error: (high - low) / 2 };
  }

  #aged(now) {
    const drift = Math.max(0, now - this.#at) * DRIFT;
    return [this.#low - drift, this.#high + drift];
  }

  #bound(low, high, now) {
    const [oldLow, oldHigh] = this.#aged(now);
    this.#low = Math.max(low, oldLow);
    this.#high = Math.min(high, oldHigh);
    this.#at = now;
    // A clock was set: what was known before is void.
    if (this.#low > this.#high) [this.#low, this.#high] = [low, high];
  }
}
