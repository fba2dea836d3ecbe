/** Dialogs: one that asks, and the frame of all. */

import { h, iconButton } from "./dom.js";

/**
 * Opens a dialog; it is gone when it is closed.
 * @param {string} title
 * @param {...Node} children
 * @returns {HTMLDialogElement}
 */
export function openDialog(title, ...children) {
  const heading = h("h2", { id: "dialog-title", textContent: title });
  const close = () => dialog.close();
  const dialog = h(
    "dialog",
    { "aria-labelledby": "dialog-title" },
    h("div", { className: "dialog-head" }, heading, iconButton("close", "Close", close)),
    ...children,
  );
  dialog.addEventListener("close", () => dialog.remove());
  // A click beside it closes it; but not that of the finger that has opened it.
  let pressed = false;
  const isBeside = (event) => event.target === dialog && isOutside(dialog, event);
  dialog.addEventListener("pointerdown", (event) => (pressed = isBeside(event)));
  dialog.addEventListener("click", (event) => pressed && isBeside(event) && close());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * Asks before something that can't be undone.
 * @returns {Promise<boolean>}
 */
export function confirmed({ title, text, action }) {
  return new Promise((resolve) => {
    const answer = (value) => {
      resolve(value);
      dialog.close();
    };
    const cancel = h("button", { type: "button", className: "button", textContent: "Cancel", on: { click: () => answer(false) } });
    const go = h("button", { type: "button", className: "button danger", textContent: action, on: { click: () => answer(true) } });
    const dialog = openDialog(title, h("p", { textContent: text }), h("div", { className: "dialog-actions" }, cancel, go));
    dialog.addEventListener("close", () => resolve(false));
    cancel.focus();
  });
}

function isOutside(dialog, { clientX, clientY }) {
  const { left, right, top, bottom } = dialog.getBoundingClientRect();
  return clientX < left || clientX > right || clientY < top || clientY > bottom;
}
