/** Runs the parser on bytes that are cut in every possible way, or in the given one. */

import { SseParser } from "/static/realtime/realtime.js";

function parse(chunks) {
  const parser = new SseParser();
  const events = chunks.flatMap((chunk) => parser.push(chunk));
  return { events, lastEventId: parser.lastEventId, retry: parser.retry };
}

/** What all ways to cut the stream in two, and into single bytes, agree on; or the first that differs. */
export function parseCut(numbers) {
  const bytes = new Uint8Array(numbers);
  const whole = parse([bytes]);
  const singles = [...bytes].map((byte) => new Uint8Array([byte]));
  const cuts = [singles];
  for (let at = 1; at < bytes.length; at += 1) cuts.push([bytes.slice(0, at), bytes.slice(at)]);
  for (const chunks of cuts) {
    if (JSON.stringify(parse(chunks)) !== JSON.stringify(whole)) {
      return { differs: chunks.map((chunk) => [...chunk]), ...parse(chunks) };
    }
  }
  return whole;
}
