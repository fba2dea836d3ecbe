/** Events as rows of a table, the newest first; and the state of a connection, as a label. */

const MAX_ROWS = 500;
const LABELS = {
  connecting: ["connecting", "info"],
  live: ["live", "success"],
  reconnecting: ["reconnecting", "warning"],
  paused: ["paused", "default"],
  ended: ["ended", "danger"],
};

/** Whether an event is one of the protocol's own. */
export function isSignal({ type }) {
  return type === "keep-alive" || type.startsWith("stream-");
}

/**
 * @param {HTMLTableSectionElement} body
 * @param {import("./realtime/connection.js").Delivery} event
 * @returns {HTMLTableRowElement}
 */
export function addRow(body, event) {
  const row = body.insertRow(0);
  const data = event.message === null ? "" : JSON.stringify(event.message);
  for (const text of [new Date().toLocaleTimeString(), event.id ?? "", event.type, data]) row.insertCell().textContent = text;
  row.classList.toggle("protocol", isSignal(event));
  if (body.rows.length > MAX_ROWS) body.rows[MAX_ROWS].remove();
  return row;
}

/** @param {HTMLElement} label, @param {keyof LABELS} state */
export function showState(label, state) {
  const [text, kind] = LABELS[state];
  if (label.textContent !== text) label.textContent = text;
  label.className = `label label-${kind}`;
}
