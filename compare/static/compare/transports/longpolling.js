/** Asks for what comes next, is answered when it has come, and asks again. */

import { counted } from "../counted.js";
import { utf8 } from "../sizes.js";
import { Transport } from "./transport.js";

export class LongPolling extends Transport {
  #abort = new AbortController();

  async begin() {
    let position = this.site.position;
    try {
      while (!this.#abort.signal.aborted) position = await this.#poll(position);
    } catch (error) {
      if (!this.#abort.signal.aborted) this.site.fail(error);
    }
  }

  close() {
    this.#abort.abort();
  }

  async #poll(position) {
    const headers = { Accept: "application/json", "Last-Event-ID": position, Prefer: `wait=${this.site.wait}` };
    const options = { headers, signal: this.#abort.signal };
    const { response, text, bytes, content } = await counted(this.site, this.meter, this.site.events, options);
    const { last_event_id: reached, events } = JSON.parse(text);
    const items = events.filter(({ event }) => event === "todo-item.updated").map(({ data }) => data.data);
    const payload = items.reduce((sum, item) => sum + utf8(JSON.stringify(item)), 0);
    if (items.length) this.meter.exchange(bytes, content, payload);
    for (const item of items) this.hear(item);
    if (!response.headers.has("Preference-Applied")) await pause(this.site.interval);
    return reached;
  }
}

/** A server that can't hold an answer must not be asked without end. */
function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
