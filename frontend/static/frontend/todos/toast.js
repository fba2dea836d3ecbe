/** Short messages that go by themselves, with perhaps one thing to do about them. */

import { h } from "./dom.js";
import { reason } from "./reasons.js";

const DURATION = 6000;
const MOST = 3;

/**
 * @param {string} text
 * @param {object} [options]
 * @param {boolean} [options.error]
 * @param {{label: string, run: () => void}|null} [options.action]
 * @param {string} [options.kind] it takes the place of the last one of its kind
 * @returns {() => void} takes it away
 */
export function toast(text, { error = false, action = null, kind = text } = {}) {
  const box = document.getElementById("toasts");
  let timer = 0;
  const close = () => {
    clearTimeout(timer);
    element.remove();
  };
  const wait = () => (timer = setTimeout(close, error ? DURATION * 1.5 : DURATION));
  const hold = () => clearTimeout(timer);
  const act = () => {
    close();
    action?.run();
  };
  const label = action?.label ?? "Dismiss";
  const element = h(
    "div",
    {
      className: error ? "toast error" : "toast",
      role: error ? "alert" : "status",
      on: { pointerenter: hold, pointerleave: wait, focusin: hold, focusout: wait },
    },
    h("p", { textContent: text }),
    h("button", { type: "button", textContent: label, on: { click: act } }),
  );
  element.dataset.kind = kind;
  [...box.children].find((other) => other.dataset.kind === kind)?.remove();
  box.append(element);
  if (box.children.length > MOST) box.firstElementChild.remove();
  wait();
  return close;
}

/** Says that a write was refused and has been taken back; what the outbox keeps is shown elsewhere. */
export function refusal(error) {
  if (!error.kept) toast(reason(error), { error: true });
}
