/** Reading a whole list, page by page, as of one position in the log. */

import { ApiError, streamLink } from "./http.js";

/** How often a list that shifts between two of its pages is begun anew. */
const ATTEMPTS = 5;

/**
 * All pages of a list. A row that disappears or moves while they are read shifts those behind it
 * across a page's border, where they would be missed without any event. So each page begins with the
 * last row of the one before, and where that has changed, all is read anew.
 * @param {import("./http.js").Http} http
 * @param {string} list the list's URL
 * @returns {Promise<{rows: object[], link: object|null}>} throws an ApiError
 */
export async function snapshot(http, list) {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    let { data, response } = await http.get(list);
    const link = streamLink(response);
    if (Array.isArray(data)) return { rows: data, link };
    const rows = [...data.results];
    let shifted = false;
    while (data.next && !shifted) {
      const { url, overlaps } = overlapping(data.next);
      ({ data } = await http.get(url));
      const page = data.results;
      if (overlaps) shifted = page.shift()?.id !== rows.at(-1).id;
      rows.push(...page);
    }
    if (!shifted) return { rows, link };
  }
  throw new ApiError(0, { detail: "The list changes faster than it can be read." });
}

/** The next page, one row earlier, if it is one of limit/offset pagination. */
function overlapping(next) {
  const url = new URL(next, document.baseURI);
  const offset = Number(url.searchParams.get("offset"));
  if (offset > 0) url.searchParams.set("offset", offset - 1);
  return { url: url.href, overlaps: offset > 0 };
}
