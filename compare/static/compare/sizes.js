/** How many bytes something has on the line, in HTTP/1.1 and in WebSocket frames. Pure. */

const encoder = new TextEncoder();

/** Of a text. */
export function utf8(text) {
  return encoder.encode(text).length;
}

/** Of a request's first line. */
export function requestLine(method, url) {
  const { pathname, search } = new URL(url, location.href);
  return `${method} ${pathname}${search} HTTP/1.1\r\n`.length;
}

/**
 * Of an answer's head. All of its lines can be read by a page of the same origin, but for cookies that are
 * set. (The `transferSize` of the browser's own timings is no help: it says 300 for any head.)
 * @param {Response} response
 */
export function responseHead(response) {
  let size = `HTTP/1.1 ${response.status} ${response.statusText}\r\n\r\n`.length;
  for (const [name, value] of response.headers) size += name.length + value.length + ": \r\n".length;
  return size;
}

/** Of an answer's body, as it was sent: perhaps compressed. @param {Response} response @param {string} text */
export function responseBody(response, text) {
  const length = response.headers.get("Content-Length");
  if (length !== null) return Number(length);
  const [timing] = performance.getEntriesByName(response.url, "resource").slice(-1);
  return chunk(timing?.encodedBodySize || utf8(text));
}

/** Of one chunk of HTTP/1.1 with so many bytes of content. */
export function chunk(size) {
  return size ? size.toString(16).length + size + "\r\n\r\n".length : 0;
}

/** Of a WebSocket message in one frame; those of browsers are masked. */
export function webSocketFrame(text, masked = false) {
  const size = utf8(text);
  const length = size < 126 ? 0 : size < 65_536 ? 2 : 8;
  return 2 + length + (masked ? 4 : 0) + size;
}

/** Of an event of a stream, in a chunk of its own. @param {MessageEvent} event */
export function streamEvent({ type, data, lastEventId }) {
  return chunk(utf8(`id: ${lastEventId}\nevent: ${type}\ndata:${data && " "}${data}\n\n`));
}

/**
 * Of what a server answers to a WebSocket's handshake, which no page can read: what RFC 6455 demands. Servers
 * may say more.
 */
export const HANDSHAKE = [
  "HTTP/1.1 101 Switching Protocols",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
  "\r\n",
].join("\r\n").length;
