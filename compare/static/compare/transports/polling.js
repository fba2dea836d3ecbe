/** Asks for the list again and again, as the first slides of the talk do. */

import { counted } from "../counted.js";
import { utf8 } from "../sizes.js";
import { Transport } from "./transport.js";

export class Polling extends Transport {
  #timer = 0;
  #over = false;
  #etag = null;

  begin() {
    this.#poll().catch((error) => this.site.fail(error));
  }

  close() {
    this.#over = true;
    clearTimeout(this.#timer);
  }

  async #poll() {
    const began = performance.now();
    const headers = { Accept: "application/json" };
    if (this.#etag) headers["If-None-Match"] = this.#etag;
    const { response, text, bytes, content } = await counted(this.site, this.meter, this.site.list, { headers });
    if (this.#over) return;
    this.#etag = response.headers.get("ETag");
    const item = response.status === 304 ? null : JSON.parse(text).results[0];
    this.meter.exchange(bytes, content, item ? utf8(JSON.stringify(item)) : 0);
    if (item) this.hear(item);
    const pause = Math.max(0, this.site.interval - (performance.now() - began));
    this.#timer = setTimeout(() => this.begin(), pause);
  }
}
