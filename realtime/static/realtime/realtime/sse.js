/**
 * Reads Server-Sent Events as the HTML standard defines them (section 9.2.6). Pure: bytes in, events
 * out; it knows nothing of connections.
 */

/**
 * @typedef {object} ServerSentEvent
 * @property {string} type "message" where the stream names none
 * @property {string} data
 * @property {string} lastEventId the id to resume after
 * @property {boolean} identified whether the id is the event's own, not one of an earlier event
 * @property {number} size its bytes, as UTF-8, with a byte for each line's end
 */

export class SseParser {
  /** The id to resume after; "" if there was none. */
  lastEventId = "";
  /** What the server last asked for as reconnection delay, in milliseconds. */
  retry = null;

  #decoder = new TextDecoder(); // takes a leading byte order mark away and repairs bad UTF-8
  #rest = "";
  #afterReturn = false;
  #data = "";
  #type = "";
  #id = "";
  #identified = false;
  #size = 0;

  /**
   * Takes the next bytes, cut anywhere, and returns the events that they complete.
   * @param {Uint8Array} bytes
   * @returns {ServerSentEvent[]}
   */
  push(bytes) {
    let text = this.#decoder.decode(bytes, { stream: true });
    if (!text) return [];
    if (this.#afterReturn && text[0] === "\n") text = text.slice(1);
    // A CR ends its line at once; should an LF follow in the next chunk, both were one line end.
    this.#afterReturn = text ? text.endsWith("\r") : false;
    const lines = (this.#rest + text).split(/\r\n|\r|\n/);
    this.#rest = lines.pop();
    const events = [];
    for (const line of lines) {
      this.#size += byteLength(line) + 1;
      if (line) this.#field(line);
      else this.#dispatch(events);
    }
    return events;
  }

  #field(line) {
    const colon = line.indexOf(":");
    if (colon === 0) return; // a comment
    const name = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value[0] === " ") value = value.slice(1);
    if (name === "data") this.#data += `${value}\n`;
    else if (name === "event") this.#type = value;
    else if (name === "id" && !value.includes("\0")) {
      this.#id = value;
      this.#identified = true;
    } else if (name === "retry" && /^[0-9]+$/.test(value)) this.retry = Number(value);
  }

  #dispatch(events) {
    this.lastEventId = this.#id;
    if (this.#data) {
      events.push({
        type: this.#type || "message",
        data: this.#data.slice(0, -1),
        lastEventId: this.#id,
        identified: this.#identified,
        size: this.#size,
      });
    }
    this.#size = 0;
    this.#data = "";
    this.#type = "";
    this.#identified = false;
  }
}

const encoder = new TextEncoder();

/** How many bytes a text is as UTF-8. */
export function byteLength(text) {
  return encoder.encode(text).length;
}
