/** By what changes come: the user's choice, which this browser remembers. */

const KEY = "todos.transport";
const TRANSPORTS = ["sse", "websocket"];

/** The address decides (`?transport=websocket`), else what was chosen last, else Server-Sent Events. */
export function rememberedTransport() {
  const wanted = [new URLSearchParams(location.search).get("transport"), localStorage.getItem(KEY)];
  return wanted.find((name) => TRANSPORTS.includes(name)) ?? "sse";
}

/**
 * Lets the user choose.
 * @param {HTMLFieldSetElement} switches with a radio button for each
 * @param {import("../../realtime/realtime.js").Realtime} client
 */
export function chooseTransport(switches, client) {
  const chosen = rememberedTransport();
  for (const radio of switches.elements) radio.checked = radio.value === chosen;
  switches.addEventListener("change", ({ target }) => {
    localStorage.setItem(KEY, target.value);
    client.use(target.value);
  });
}
