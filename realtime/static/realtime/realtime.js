/**
 * The browser's side of the real-time API: one module, no build step, no dependencies.
 *
 *     import { Realtime } from "/static/realtime/realtime.js"; // as your server names it
 *
 *     const client = new Realtime({ base: "/api/" });
 *     const items = client.collection("todo-items", {
 *       params: { todo_list: 1, ordering: "position,id" },
 *     });
 *     items.on("change", () => render(items.items));
 *     await items.subscribe();
 *     await items.create({ todo_list: 1, text: "Milk" });
 */

import { Collection } from "./realtime/collection.js";
import { Editing } from "./realtime/editing.js";
import { Emitter } from "./realtime/emitter.js";
import { Http, csrfToken } from "./realtime/http.js";
import { Outbox } from "./realtime/outbox.js";
import { Presence } from "./realtime/presence.js";
import { Shelf } from "./realtime/shelf.js";
import { Stream } from "./realtime/stream.js";

export { entityTag } from "./realtime/etag.js";
export { ApiError } from "./realtime/http.js";
export { SseParser } from "./realtime/sse.js";
export { Collection };

/** One page's connection to the API. Emits `ready`, `message`, `reset`, `state` and `error`. */
export class Realtime extends Emitter {
  /** Resolves when the stream is open for the first time. @type {Promise<void>} */
  ready;

  /**
   * @param {object} [options]
   * @param {string} [options.base] the API's URL
   * @param {string|null} [options.token] instead of the session
   * @param {typeof fetch} [options.fetch]
   * @param {RequestCredentials} [options.credentials] "include" for an API of another origin
   * @param {() => string} [options.csrf] the token for writes of a session
   * @param {"sse"|"websocket"} [options.transport] how changes come: by Server-Sent Events, or by a
   *   WebSocket as long as one can be kept open
   * @param {{key: string, url?: string, auth?: string}|null} [options.websocket] where the WebSockets are:
   *   the application's key; for servers that have them elsewhere, the URL without the key, and that
   *   of the endpoint that signs subscriptions
   * @param {typeof WebSocket} [options.WebSocket]
   * @param {string|null} [options.queue] a name for this application and user; with one, writes that can't be sent
   *   are kept in the browser, and sent when they can be. Without one, they are refused.
   */
  constructor({
    base = "/api/",
    token = null,
    fetch = globalThis.fetch.bind(globalThis),
    credentials = "same-origin",
    csrf = csrfToken,
    transport = "sse",
    websocket = null,
    WebSocket = globalThis.WebSocket,
    queue = null,
  } = {}) {
    super();
    this.http = new Http({ base, fetch, token, credentials, csrf });
    this.stream = new Stream(this.http, this.http.url("events/"), { transport, websocket, WebSocket });
    this.ready = new Promise((resolve) => this.stream.addEventListener("open", resolve, { once: true }))
      .then(() => this.emit("ready"));
    this.outbox = new Outbox(this.http, queue === null ? null : new Shelf(queue));
    this.stream.on("open", () => this.outbox.wake());
    this.stream.on("message", (change) => this.outbox.heard(change));
    for (const type of ["message", "reset", "state", "error"]) {
      this.stream.on(type, (detail) => this.emit(type, detail));
    }
  }

  /** connecting, open, reconnecting, closed, or forbidden */
  get state() {
    return this.stream.state;
  }

  /** By what changes come now: "sse", "websocket", or null when they don't. */
  get transport() {
    return this.stream.transport;
  }

  /**
   * Changes the transport, at any time: nothing is lost or repeated.
   * @param {"sse"|"websocket"} transport
   */
  use(transport) {
    this.stream.use(transport);
  }

  /** Calls back when the stream is open, also if it is already. */
  onReady(callback) {
    this.ready.then(callback);
  }

  /**
   * Calls back with each change on any channel of this page.
   * @param {(change: import("./realtime/stream.js").Change) => void} callback
   * @returns {() => void} ends it
   */
  onMessage(callback) {
    return this.on("message", callback);
  }

  /** Calls back with `{channels, reason}` when changes were lost; collections load anew by themselves. */
  onReset(callback) {
    return this.on("reset", callback);
  }

  /** Calls back with each new state of the connection. */
  onState(callback) {
    return this.on("state", callback);
  }

  /** Rows of a resource. See `Collection`. @returns {Collection} */
  collection(name, options) {
    return new Collection(this, name, options);
  }

  /**
   * Subscribes to channels as such, from now on.
   * @param {string|string[]} channels
   * @param {(change: import("./realtime/stream.js").Change) => void} callback
   * @param {(error: ApiError) => void} [refused] there is no right to them, or no more
   * @returns {() => void} unsubscribes
   */
  subscribe(channels, callback, refused = () => {}) {
    const subscription = {
      channels: new Set([channels].flat()),
      deliver: (changes) => changes.forEach(callback),
      reset: () => {},
      refuse: refused,
    };
    let over = false;
    this.stream.record().then((recording) => {
      if (over) this.stream.release(recording);
      else this.stream.join(subscription, recording, null);
    });
    return () => {
      over = true;
      this.stream.leave(subscription);
    };
  }

  /**
   * A request to the API beyond what collections do, as a member's invitation.
   * @param {string} method
   * @param {string} path below the API's URL
   * @param {object} [body]
   */
  async send(method, path, body) {
    return (await this.http.write(method, this.http.url(path), body)).data;
  }

  /** Who is on a presence channel. See `Presence`. @param {string} channel @returns {Presence} */
  presence(channel) {
    return new Presence(this, channel);
  }

  /** Announces what this page's user edits. See `Editing`. @param {string} resource @returns {Editing} */
  editing(resource) {
    return new Editing(this.http, resource);
  }

  /** Ends the stream. */
  close() {
    this.stream.close();
  }
}
