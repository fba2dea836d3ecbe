/**
 * How large the heads of this page's own requests are. What the browser adds to them (cookies above all) no
 * page can see; so the server is asked once for each kind of request, by a request of that very kind.
 */

import { requestLine } from "./sizes.js";

export class Heads {
  #url;
  #known = new Map();

  /** @param {string} url where the server answers how large the head was */
  constructor(url) {
    this.#url = new URL(url, location.href);
  }

  /**
   * Of a request by fetch, as soon as it is known.
   * @param {string} url
   * @param {RequestInit} options with a plain object as headers
   * @returns {Promise<number>}
   */
  async fetched(url, { method = "GET", headers = {}, body, ...options }) {
    const key = [method, ...Object.keys(headers).sort()].join(" ");
    // Ids grow while a measurement runs; everything else stays as it is.
    const own = Object.values(headers).join("").length;
    if (!this.#known.has(key)) {
      const answer = await fetch(this.#url, { method, headers, body, ...options });
      this.#known.set(key, (await answer.json()).bytes - own);
    }
    return requestLine(method, url) + this.#known.get(key) + own;
  }

  /** Of an EventSource's request. @returns {Promise<number>} */
  eventSource(url) {
    return new Promise((resolve, reject) => {
      const source = new EventSource(this.#url);
      source.addEventListener("measured", ({ data }) => {
        source.close();
        resolve(requestLine("GET", url) + Number(data));
      });
      source.onerror = () => {
        source.close();
        reject(new Error("An EventSource can’t be opened here."));
      };
    });
  }

  /** Of a WebSocket's handshake. @returns {Promise<number>} */
  webSocket(url) {
    return new Promise((resolve, reject) => {
      const address = new URL(this.#url);
      address.protocol = address.protocol.replace("http", "ws");
      new WebSocket(address).onclose = ({ reason }) => {
        if (reason) resolve(requestLine("GET", url) + Number(reason));
        else reject(new Error("A WebSocket can’t be opened here."));
      };
    });
  }
}
