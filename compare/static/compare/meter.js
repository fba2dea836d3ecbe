/** What is counted of one transport, and what follows from it. Pure. */

export class Meter {
  /** By what it is measured: bytes from and to the browser, and requests. */
  up = 0;
  down = 0;
  requests = 0;
  /** The same, of what comes once: opening a stream, a handshake. */
  setup = { up: 0, down: 0, requests: 0 };
  /** Changes that arrived, and those that only a later state showed. */
  seen = 0;
  missed = 0;
  /** For each change that arrived: when, in seconds since the start, and how late, in milliseconds. */
  delays = [];
  /** Bytes by time: pairs of seconds and bytes. */
  growth = [];

  #exchanges = 0;
  #framing = 0;
  #envelope = 0;
  #last = 0;

  /** @param {number} bytes of a request that was sent */
  request(bytes) {
    this.requests += 1;
    this.up += bytes;
  }

  /** What was counted so far was to set up. */
  begin() {
    this.setup = { up: this.up, down: this.down, requests: this.requests };
    this.up = this.down = this.requests = 0;
  }

  /**
   * A message came.
   * @param {number} bytes of all that it took, both ways
   * @param {number} content of what was said by it, @param {number} payload of the changed item alone
   */
  exchange(bytes, content, payload) {
    this.#exchanges += 1;
    this.#framing += bytes - content;
    this.#envelope += content - payload;
  }

  /**
   * A change is here, and with it all before it.
   * @param {number} number of the change
   * @param {number|undefined} sent when it was, @param {number} at by the same clock
   * @param {number} start of the measurement, likewise
   */
  arrive(number, sent, at, start) {
    if (number <= this.#last || sent === undefined) return;
    this.missed += number - this.#last - 1;
    this.#last = number;
    this.seen += 1;
    this.delays.push([(at - start) / 1000, at - sent]);
  }

  /** Whether a change is here. */
  has(number) {
    return this.#last >= number;
  }

  /** @param {number} seconds since the start */
  sample(seconds) {
    this.growth.push([seconds, this.total]);
  }

  get total() {
    return this.up + this.down;
  }

  /** Bytes of one message that the transport itself needs, as headers and frames; null if there was none. */
  get framing() {
    return this.#exchanges ? this.#framing / this.#exchanges : null;
  }

  /** Bytes of one message that say what the changed item beside them is; null if there was none. */
  get envelope() {
    return this.#exchanges ? this.#envelope / this.#exchanges : null;
  }

  /** Delay that so much of all changes did not exceed, in milliseconds; null if there was none. */
  quantile(share) {
    const sorted = this.delays.map(([, delay]) => delay).sort((a, b) => a - b);
    return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] : null;
  }
}
