/** Single writes of an outbox: what they are, how they are sent, and how the log tells whether they have arrived. */

import { ApiError } from "./http.js";

/** What proxies say when the server behind them does not. Whether it has done the write is unknown. */
const NOBODY = new Set([0, 408, 502, 503, 504]);
/** It was not looked at: too many requests; or nobody is logged in, but may be again. */
const UNSEEN = new Set([401, 429]);

/**
 * @typedef {object} Letter a write; it can be written as JSON
 * @property {string} id the mutation id
 * @property {string} resource as in the URL: "todo-items"
 * @property {string} scope which of the resource's collections shows it
 * @property {any} row the row's id; until it has one, the mutation id of its creation; null for a creation
 * @property {"create"|"update"|"delete"} kind
 * @property {object} [data]
 * @property {object|null} was the row before
 * @property {string|null} match the entity tag that the row must still have
 * @property {boolean} keep whether it is kept also when it is refused at once
 * @property {string[]} channels where its events come
 * @property {string|null} position in the log, before it was sent
 * @property {number} at when it was written, in milliseconds
 * @property {number} attempts
 * @property {boolean} uncertain whether an answer was lost
 * @property {boolean} deferred whether it had to wait
 * @property {"new"|"sending"|"waiting"|"refused"|"done"} state
 * @property {{status: number, text: string, data: any, etag: string|null}|null} error why it was refused
 */

/** A new letter. @param {Partial<Letter>} write @returns {Letter} */
export function compose(write) {
  const fresh = { attempts: 0, uncertain: false, deferred: false, state: "new", error: null };
  return { match: null, keep: false, was: null, ...write, ...fresh, at: Date.now() };
}

/** Sends one, as it is. @returns {Promise<{data: any}>} */
export function send(http, { id, resource, row, kind, data, match }) {
  if (kind === "create") return http.write("POST", http.url(`${resource}/`), data, id);
  const url = http.url(`${resource}/${encodeURIComponent(row)}/`);
  const headers = match ? { "If-Match": match } : {};
  return http.write(kind === "update" ? "PATCH" : "DELETE", url, data, id, headers);
}

/** The event that a letter has caused, or null if there is none. */
export async function look(http, { id, channels, position }) {
  if (!position || !channels.length) throw new ApiError(410);
  let from = position;
  for (;;) {
    const url = new URL(http.url("events/"));
    for (const name of channels) url.searchParams.append("channel", name);
    const { data } = await http.get(url.href, { "Last-Event-ID": from });
    if (data.reset) throw new ApiError(410);
    const found = data.events.find((event) => event.data.mutation === id);
    if (found || !data.events.length) return found ?? null;
    from = data.last_event_id;
  }
}

/** The row that an event shows, as an answer would. */
export function result({ kind }, type, data) {
  const action = type.slice(type.lastIndexOf(".") + 1);
  return kind === "delete" || action === "deleted" || action === "left" ? null : data;
}

/** It has to wait. */
export function hold(letter) {
  Object.assign(letter, { state: "waiting", deferred: true });
}

/** Whether two ids of rows are the same. */
export function same(one, other) {
  return one !== null && String(one) === String(other);
}

/** Whether the server, or anybody in between, did not get to answering. */
export function isPassing({ status }) {
  return NOBODY.has(status) || UNSEEN.has(status);
}

/** Whether the server has refused a write without looking at it. */
export function isUnseen({ status }) {
  return UNSEEN.has(status);
}
