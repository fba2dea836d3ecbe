/** Which transport a stream uses: what the page wishes, as long as that works. */

import { SseConnection } from "./connection.js";
import { Socket } from "./socket.js";
import { WebSocketConnection } from "./websocket.js";

/** After a WebSocket has failed, Server-Sent Events are used for this long. */
const RESPITE = 60_000;
/** One that was open for longer than this has not failed: its end is an interruption like any other. */
const STABLE = 10_000;
/** So many that were not are a failure. */
const LIMIT = 3;

export class Transports {
  #http;
  #events;
  #options;
  #again;
  #wish;
  #socket = null;
  #failures = 0;
  #barred = false;
  #timer = 0;

  /**
   * @param {import("./http.js").Http} http
   * @param {string} events the streams' URL
   * @param {object} options
   * @param {"sse"|"websocket"} options.transport
   * @param {object|null} options.websocket where the server speaks Pusher's protocol
   * @param {string} options.websocket.key the application's
   * @param {string} [options.websocket.url] to which `/KEY` is added; `../app` beside the API if left out
   * @param {string} [options.websocket.auth] where subscriptions are signed; `../pusher/auth` if left out
   * @param {typeof WebSocket} [options.WebSocket]
   * @param {() => void} again called when the choice may be another than before
   */
  constructor(http, events, { transport, websocket, WebSocket = globalThis.WebSocket }, again) {
    this.#http = http;
    this.#events = events;
    this.#options = websocket?.key && WebSocket ? { ...addresses(http, websocket), WebSocket } : null;
    this.#again = again;
    this.use(transport);
  }

  /** "sse" or "websocket". */
  get choice() {
    return this.#wish === "websocket" && this.#options && !this.#barred ? "websocket" : "sse";
  }

  /** Wishes for a transport, from a clean slate. */
  use(transport) {
    if (transport !== "sse" && transport !== "websocket") throw new RangeError(`There is no transport ${transport}.`);
    this.#wish = transport;
    clearTimeout(this.#timer);
    this.#failures = 0;
    this.#barred = false;
  }

  /** Opens a connection by the transport of choice; see `SseConnection`. */
  connect(channels, position, on) {
    if (this.choice === "sse") return new SseConnection(this.#http, this.#events, channels, position, on);
    if (!this.#socket?.usable) this.#socket = new Socket(this.#http, this.#options);
    return new WebSocketConnection(this.#http, this.#events, this.#socket, channels, position, on);
  }

  /** Learns from the end of a connection. */
  ended({ transport, lifetime }, { code = 0 }) {
    if (transport !== "websocket" || this.#barred) return;
    if (isFinal(code)) {
      this.#barred = true;
      return;
    }
    if (lifetime > STABLE) this.#failures = 0;
    if (asksAgain(code) || lifetime > STABLE) return;
    this.#failures += lifetime === null ? LIMIT : 1;
    if (this.#failures < LIMIT) return;
    this.#barred = true;
    this.#timer = setTimeout(() => {
      this.#barred = false;
      this.#again();
    }, RESPITE);
  }
}

function addresses({ base }, { key, url = "../app", auth = "../pusher/auth" }) {
  const target = new URL(`${new URL(url, base).href.replace(/\/$/, "")}/${encodeURIComponent(key)}`);
  target.protocol = target.protocol.replace("http", "ws");
  target.search = "?protocol=7&client=realtime.js&version=1.0.0";
  return { url: target.href, auth: new URL(auth, base).href };
}

/** Pusher's close codes that come again next time; but where connections are counted (4004) may be room. */
function isFinal(code) {
  return code >= 4000 && code < 4100 && code !== 4004;
}

/** Those by which the server asks for another attempt. */
function asksAgain(code) {
  return code >= 4100 && code < 4300;
}
