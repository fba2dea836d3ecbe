/** The subscriptions of a stream, and what each of them has got. */

import { Seen } from "./seen.js";

/**
 * @typedef {object} Subscription
 * @property {Set<string>} channels
 * @property {(changes: import("./stream.js").Change[]) => void} deliver
 * @property {(reason: string) => void} reset some changes are lost: load anew
 * @property {(error: import("./http.js").ApiError, channels: string[]) => void} refuse there is no right
 *   to these channels; the stream has left them
 */

/** One subscription. */
export class Member {
  /** Whether a connection delivers to it. */
  attached = false;
  recording;
  #subscription;
  #cut;
  #seen = new Seen();

  /**
   * @param {Subscription} subscription
   * @param {import("./recordings.js").Recording} recording kept until it is attached
   * @param {string|null} position that of its snapshot
   */
  constructor(subscription, recording, position) {
    this.recording = recording;
    this.#subscription = subscription;
    this.#cut = position;
  }

  /** Notes changes that its snapshot contains: should they be repeated, they are older than the rows. */
  skip(changes) {
    for (const change of changes) this.#seen.isNew(change);
  }

  /** Hands over what is for it and new, of the changes that come next in the log. */
  hand(changes) {
    const { channels } = this.#subscription;
    const at = this.#cut === null ? -1 : changes.findLastIndex(({ id }) => id === this.#cut);
    this.skip(changes.slice(0, at + 1));
    const fresh = changes
      .slice(at + 1)
      .filter((change) => channels.has(change.channel) && this.#seen.isNew(change));
    // Once an older event has been applied, those that make up for it must be, too.
    if (at >= 0 || fresh.length) this.#cut = null;
    if (fresh.length) this.#subscription.deliver(fresh);
  }
}

export class Members {
  /** @type {Map<Subscription, Member>} */
  #members = new Map();

  get size() {
    return this.#members.size;
  }

  /** @returns {Member|undefined} */
  get(subscription) {
    return this.#members.get(subscription);
  }

  set(subscription, member) {
    this.#members.set(subscription, member);
  }

  delete(subscription) {
    this.#members.delete(subscription);
  }

  /** Those with any of these channels, or all. @returns {Subscription[]} */
  subscriptions(names = null) {
    const all = [...this.#members.keys()];
    return names ? all.filter(({ channels }) => names.some((name) => channels.has(name))) : all;
  }

  /** Those that wait for a connection, and whose channels this one has. @returns {Member[]} */
  waiting(channels) {
    const waiting = [...this.#members].filter(([subscription, { attached }]) => {
      return !attached && covers(channels, subscription.channels);
    });
    return waiting.map(([, member]) => member);
  }

  /** All their channels. @returns {Set<string>} */
  channels() {
    return new Set(this.subscriptions().flatMap(({ channels }) => [...channels]));
  }

  hand(changes) {
    for (const [subscription, member] of [...this.#members]) {
      // It may have left, or joined anew, because of what another was handed.
      if (member.attached && this.#members.get(subscription) === member) member.hand(changes);
    }
  }
}

/** Whether all channels of `smaller` are in `larger`. */
export function covers(larger, smaller) {
  for (const name of smaller) if (!larger.has(name)) return false;
  return true;
}
