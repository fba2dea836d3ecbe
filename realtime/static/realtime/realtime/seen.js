/** Remembers what was handed out lately, so that nothing is handed out twice. */

/**
 * Only what a connection repeats when it takes over has to be recognised: what came during one load of
 * a list. Should that be more than this, a repetition is applied, which ends in the same state.
 */
const LIMIT = 10_000;

export class Seen {
  #keys = new Set();

  /** Whether a change has been noted. */
  has({ id, channel }) {
    return this.#keys.has(`${id} ${channel}`);
  }

  /** Notes a change; whether it is new. One change on two channels counts as two. */
  isNew({ id, channel }) {
    if (id === null) return true;
    const key = `${id} ${channel}`;
    if (this.#keys.has(key)) return false;
    this.#keys.add(key);
    if (this.#keys.size > LIMIT) this.#keys.delete(this.#keys.values().next().value);
    return true;
  }
}
