/** One request, and an answer that goes on: Server-Sent Events. */

import { responseHead, streamEvent, utf8 } from "../sizes.js";
import { Transport } from "./transport.js";

const RETRY_LINE = "retry: 1000\n".length;
/** Also that the list was made may be told only now: an EventSource hears nothing that it has no name of. */
const OTHERS = ["keep-alive", "stream-reset", "stream-error", "todo-list.created", "todo-item.created"];

export class Events extends Transport {
  #source = null;

  async open() {
    const url = new URL(this.site.events, location.href);
    url.searchParams.set("lastEventId", this.site.position);
    const request = await this.site.heads.eventSource(url.href);
    const answer = await answerHead(url.href);
    this.#source = new EventSource(url);
    const source = this.#source;
    await new Promise((resolve, reject) => {
      source.addEventListener("stream-open", (event) => {
        // Also when it comes back after an interruption.
        this.meter.request(request);
        this.meter.down += answer + RETRY_LINE + streamEvent(event);
        resolve();
      });
      source.onerror = () => {
        if (source.readyState !== EventSource.CLOSED) return;
        const error = new Error("The stream was refused.");
        reject(error);
        this.site.fail(error);
      };
    });
    source.addEventListener("todo-item.updated", (event) => this.#receive(event));
    for (const type of OTHERS) source.addEventListener(type, (event) => (this.meter.down += streamEvent(event)));
  }

  close() {
    this.#source?.close();
  }

  #receive(event) {
    const size = streamEvent(event);
    const item = JSON.parse(event.data).data;
    this.meter.down += size;
    this.meter.exchange(size, utf8(event.data), utf8(JSON.stringify(item)));
    this.hear(item);
  }
}

/** How large the head of the answer is, which an EventSource does not show. */
async function answerHead(url) {
  const abort = new AbortController();
  const response = await fetch(url, { headers: { Accept: "text/event-stream" }, signal: abort.signal });
  const size = responseHead(response);
  abort.abort();
  return size;
}
