/** A request by fetch, all of whose bytes are counted. */

import { responseBody, responseHead, utf8 } from "./sizes.js";

/**
 * @param {import("./run.js").Site} site
 * @param {import("./meter.js").Meter} meter
 * @param {string} url
 * @param {RequestInit} options with a plain object as headers
 * @returns {Promise<{response: Response, text: string, bytes: number, content: number}>} rejects for a refusal, in words
 */
export async function counted(site, meter, url, options) {
  const sent = (await site.heads.fetched(url, options)) + (options.body ? utf8(options.body.toString()) : 0);
  const response = await fetch(url, options);
  meter.request(sent);
  const text = await response.text();
  const content = responseBody(response, text);
  const received = responseHead(response) + content;
  meter.down += received;
  if (!response.ok && response.status !== 304) throw new Error(refusal(response, text));
  return { response, text, content, bytes: sent + received };
}

function refusal({ status, statusText }, text) {
  try {
    return `${status}: ${JSON.parse(text).detail}`;
  } catch {
    return `${status} ${statusText}`;
  }
}
