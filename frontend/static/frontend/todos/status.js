/** The state of the connection, in words; calm about interruptions that are over at once. */

const PATIENCE = 700;
const WORDS = {
  connecting: "Connecting",
  open: "Live",
  reconnecting: "Reconnecting",
  closed: "Not connected",
  forbidden: "Signed out",
};

/** @param {import("../../realtime/realtime.js").Realtime} client @param {NodeListOf<HTMLElement>} elements */
export function showStatus(client, elements) {
  let timer = 0;
  const show = (state) => {
    for (const element of elements) {
      element.dataset.state = state;
      element.lastElementChild.textContent = WORDS[state];
    }
  };
  client.onState((state) => {
    clearTimeout(timer);
    if (state === "reconnecting" || state === "closed") timer = setTimeout(() => show(state), PATIENCE);
    else show(state);
  });
}
