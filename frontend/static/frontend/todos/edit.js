/** Text that becomes a field when it is clicked. Enter and leaving it (also the page) save, Escape doesn't. */

import { h } from "./dom.js";

const grows = CSS.supports("field-sizing", "content");

/**
 * @param {HTMLElement} holder gets the field in place of its button
 * @param {object} options
 * @param {string} options.value
 * @param {string} options.label
 * @param {number} options.limit
 * @param {string} options.className
 * @param {(text: string) => void} options.save
 * @param {() => void} [options.ended] called last
 */
export function edit(holder, { value, label, limit, className, save, ended = () => {} }) {
  const button = holder.firstElementChild;
  let over = false;
  const end = (keep, refocus) => {
    if (over) return;
    over = true;
    removeEventListener("pagehide", hide);
    const text = field.value.replace(/\s+/g, " ").trim();
    field.replaceWith(button);
    if (keep && text && text !== value) save(text);
    ended();
    if (refocus) button.focus();
  };
  const hide = () => end(true, false);
  const keydown = (event) => {
    if (event.isComposing) return;
    event.stopPropagation();
    if (event.key === "Enter") {
      event.preventDefault();
      end(true, true);
    } else if (event.key === "Escape") {
      event.preventDefault();
      end(false, true);
    }
  };
  const field = h("textarea", {
    className,
    value,
    rows: 1,
    maxLength: limit,
    "aria-label": label,
    on: { keydown, blur: () => end(true, false) },
  });
  button.replaceWith(field);
  addEventListener("pagehide", hide);
  if (!grows) {
    const fit = () => field.style.setProperty("height", `${field.scrollHeight}px`);
    field.addEventListener("input", fit);
    fit();
  }
  field.focus();
  field.setSelectionRange(value.length, value.length);
}
