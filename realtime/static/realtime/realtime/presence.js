/** Who is on a presence channel: users, however many tabs each of them has. */

import { Emitter } from "./emitter.js";

/** @typedef {{id: string, info: any}} Member */

/** Emits `change`. */
export class Presence extends Emitter {
  #members = new Map();
  #version = null;
  #leave;

  /**
   * Being subscribed makes this page's own user a member, too.
   * @param {import("../realtime.js").Realtime} client
   * @param {string} channel
   */
  constructor(client, channel) {
    super();
    this.#leave = client.subscribe(channel, (change) => this.#apply(change), () => this.#set([], null));
  }

  /** Oldest first. @returns {Member[]} */
  get members() {
    return [...this.#members.values()];
  }

  /** Is no member any more, and hears of none. */
  close() {
    this.#leave();
  }

  #apply({ type, data }) {
    if (type === "member.list") return this.#set(data.members, data.version);
    // What the list contains already may come once more. WebSockets tell no versions, but nothing twice.
    const old = this.#version !== null && data.version <= this.#version;
    if (old || (type !== "member.joined" && type !== "member.left")) return;
    if (data.version) this.#version = data.version;
    if (type === "member.left") this.#members.delete(data.id);
    else this.#members.set(data.id, { id: data.id, info: data.info });
    this.emit("change");
  }

  #set(members, version) {
    this.#members = new Map(members.map((member) => [member.id, member]));
    this.#version = version;
    this.emit("change");
  }
}
