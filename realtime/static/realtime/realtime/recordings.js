/** What the stream delivers while snapshots are on their way. Why, says `stream.js`. */

/**
 * @typedef {object} Recording
 * @property {string|null} position the stream's when it was begun
 * @property {import("./stream.js").Change[]} changes delivered since, by one connection
 * @property {boolean} broken whether changes were lost meanwhile: the snapshot must be taken anew
 */

export class Recordings {
  #open = new Set(); // oldest first
  #turn = null;
  #endTurn = null;

  /** @returns {Recording|undefined} */
  get oldest() {
    return this.#open.values().next().value;
  }

  /**
   * Begins one. As long as there is no position, only one is under way, whose snapshot will set it.
   * @param {() => string|null} position
   * @returns {Promise<Recording>}
   */
  async begin(position) {
    while (position() === null && this.#turn) await this.#turn;
    const recording = { position: position(), changes: [], broken: false, first: position() === null };
    if (recording.first) this.#turn = new Promise((resolve) => (this.#endTurn = resolve));
    this.#open.add(recording);
    return recording;
  }

  /** There is a first position: what was begun without one has missed nothing since. */
  locate(position) {
    for (const recording of this.#open) recording.position ??= position;
  }

  /** The turn of `recording` is over, if it was the first. */
  started(recording) {
    if (!recording.first) return;
    recording.first = false;
    this.#turn = null;
    this.#endTurn();
  }

  release(recording) {
    this.#open.delete(recording);
    this.started(recording);
  }

  /**
   * One for a connection that is to take over, from the position of the oldest, else from this one. It is
   * the oldest until it is released: whoever joins meanwhile knows what that connection will repeat.
   * @returns {Recording}
   */
  pin(position) {
    const { oldest } = this;
    const changes = [...(oldest?.changes ?? [])];
    const recording = { position: oldest?.position ?? position, changes, broken: false, first: false };
    this.#open = new Set([recording, ...this.#open]);
    return recording;
  }

  add(changes) {
    for (const recording of this.#open) recording.changes.push(...changes);
  }

  /** What was delivered since the oldest was begun, and before this one. */
  before(recording) {
    const { changes } = this.oldest;
    return changes.slice(0, changes.length - recording.changes.length);
  }

  /**
   * A connection takes over, and repeats what was recorded, from this position on: should it break in the
   * middle, the next one has to begin there again. One without a position begins nobody knows where: a
   * first snapshot that is under way may be older.
   */
  restart(position) {
    for (const recording of this.#open) {
      recording.changes = [];
      recording.position = position ?? recording.position;
      recording.broken ||= position === null && recording.first;
    }
  }

  /** The server goes on from another position. */
  break(position) {
    for (const recording of this.#open) Object.assign(recording, { position, broken: true });
  }
}
