/** The state of the connection, in words; calm about interruptions that are over at once. */

const PATIENCE = 700;
const WORDS = {
  connecting: "Connecting",
  open: "Connected",
  reconnecting: "Reconnecting",
  closed: "Not connected",
  forbidden: "Signed out",
  offline: "Offline",
};
const SPOKEN = {
  open: "Connected again.",
  reconnecting: "The connection is lost. Reconnecting.",
  offline: "You are offline. What you change is kept, and sent later.",
  forbidden: "You are signed out.",
};

/**
 * @param {import("../../realtime/realtime.js").Realtime} client
 * @param {NodeListOf<HTMLElement>} elements buttons that open the live events
 * @param {HTMLElement} announcer
 */
export function showStatus(client, elements, announcer) {
  let timer = 0;
  let shown = "connecting";
  const show = (state) => {
    if (state === shown) return;
    if (state in SPOKEN && shown !== "connecting") announcer.textContent = SPOKEN[state];
    shown = state;
    render();
  };
  const render = () => {
    const { waiting } = client.outbox;
    for (const element of elements) {
      const [, text, badge] = element.children;
      const [number, unit] = badge.children;
      element.dataset.state = shown;
      text.textContent = WORDS[shown];
      badge.hidden = !waiting;
      number.textContent = waiting || "";
      unit.textContent = waiting ? " to be sent" : "";
    }
  };
  const changed = () => {
    clearTimeout(timer);
    const { state } = client;
    if (state !== "forbidden" && !navigator.onLine) show("offline");
    else if (state === "reconnecting" || state === "closed") timer = setTimeout(() => show(state), PATIENCE);
    else show(state);
  };
  client.onState(changed);
  client.outbox.on("change", render);
  addEventListener("online", changed);
  addEventListener("offline", changed);
  render();
  changed();
}
