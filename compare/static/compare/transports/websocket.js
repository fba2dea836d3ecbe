/** A WebSocket that speaks Pusher's protocol, version 7: as little of it as there must be. */

import { counted } from "../counted.js";
import { HANDSHAKE, utf8, webSocketFrame } from "../sizes.js";
import { Transport } from "./transport.js";

/** The server closes one that is silent for a minute. */
const QUIET = 25_000;

export class Socket extends Transport {
  #socket = null;
  #timer = 0;

  async open() {
    const url = new URL(`/app/${encodeURIComponent(this.site.key)}?protocol=7`, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    this.meter.request(await this.site.heads.webSocket(url.href));
    this.#socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      this.#socket.onmessage = ({ data }) => this.#receive(data, resolve).catch(reject);
      this.#socket.onclose = ({ reason }) => {
        const error = new Error(`The WebSocket was closed: ${reason || "without a reason"}.`);
        reject(error);
        this.site.fail(error);
      };
    });
  }

  close() {
    clearTimeout(this.#timer);
    if (!this.#socket) return;
    this.#socket.onclose = this.#socket.onmessage = null;
    this.#socket.close();
  }

  async #receive(text, ready) {
    const size = webSocketFrame(text);
    const { event, data } = JSON.parse(text);
    this.meter.down += size;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#send("pusher:ping", {}), QUIET);
    if (event === "todo-item.updated") {
      this.meter.exchange(size, utf8(text), utf8(data));
      this.hear(JSON.parse(data));
    } else if (event === "pusher:ping") this.#send("pusher:pong", {});
    else if (event === "pusher:connection_established") {
      this.meter.down += HANDSHAKE;
      await this.#subscribe(JSON.parse(data).socket_id);
    } else if (event === "pusher_internal:subscription_succeeded") ready();
    else if (event === "pusher:error" || event === "pusher:subscription_error") throw new Error(`The WebSocket says: ${text}`);
  }

  async #subscribe(socketId) {
    const channel = this.site.channel;
    const body = new URLSearchParams({ socket_id: socketId, channel_name: channel });
    const { text } = await counted(this.site, this.meter, "/pusher/auth", { method: "POST", headers: { Accept: "application/json" }, body });
    this.#send("pusher:subscribe", { auth: JSON.parse(text).auth, channel });
  }

  #send(event, data) {
    const text = JSON.stringify({ event, data });
    this.meter.up += webSocketFrame(text, true);
    this.#socket.send(text);
  }
}
