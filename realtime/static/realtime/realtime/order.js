/** What a query's parameters mean for rows that arrive after the snapshot. Pure. */

const NOT_FIELDS = new Set(["ordering", "limit", "offset", "page", "page_size", "cursor", "format"]);

/**
 * How `ordering` sorts: `position,-created_at`. Rows that it does not tell apart keep to their ids;
 * without it they stay as they came.
 * @param {string} [ordering]
 * @returns {(one: object, other: object) => number}
 */
export function comparison(ordering) {
  if (!ordering) return () => 0;
  const keys = ordering.split(",").map((key) => {
    const name = key.trim();
    return name[0] === "-" ? [name.slice(1), -1] : [name, 1];
  });
  keys.push(["id", 1]);
  return (one, other) => {
    for (const [name, sign] of keys) {
      const order = compare(one[name], other[name]);
      if (order) return order * sign;
    }
    return 0;
  };
}

function compare(one, other) {
  if (one === other) return 0;
  if (one === null || one === undefined) return 1;
  if (other === null || other === undefined) return -1;
  // What is not saved yet has a name for an id; it is the newest.
  if (typeof one !== typeof other) return typeof one === "string" ? 1 : -1;
  return one < other ? -1 : 1;
}

/**
 * Whether a row passes the filters among `params`: true, false, or null if a filter is none of its
 * fields (as `search`), so that only the server can tell.
 * @param {object} params
 * @param {object} row
 */
export function passes(params, row) {
  let unknown = false;
  for (const [name, value] of Object.entries(params)) {
    if (NOT_FIELDS.has(name) || value === undefined || value === null || value === "") continue;
    if (!(name in row)) unknown = true;
    else if (normal(row[name]) !== normal(value)) return false;
  }
  return unknown ? null : true;
}

/** django-filter takes "true", "True" and "1" for a boolean that is true. */
function normal(value) {
  const text = String(value);
  return text === "True" || text === "False" ? text.toLowerCase() : text;
}
