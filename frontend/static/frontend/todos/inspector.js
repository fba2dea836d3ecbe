/** The drawer with the live events, the switch of the transport, and how it all is measured. */

import { Arrivals, LIMIT } from "./arrivals.js";
import { copied } from "./clipboard.js";
import { announce, h } from "./dom.js";
import { chooseTransport } from "./transport.js";

/** From so many milliseconds on, a middle with an error says less than a limit. */
const VAGUE = 100;
const NAMES = { sse: "SSE", websocket: "WebSocket" };
const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });

export class Inspector {
  #client;
  #arrivals;
  #buttons;
  #opener = null;
  #paused = false;
  #missed = 0; // while it is paused
  #pausedAt = [];
  #drawer = document.getElementById("inspector");
  #list = document.getElementById("events");
  #count = document.getElementById("events-count");
  #now = document.getElementById("transport-now");
  #filter = document.getElementById("events-filter");
  #quiet = document.getElementById("events-quiet");
  #pause = document.getElementById("events-pause");
  #narrow = matchMedia("(max-width: 719px)");

  /**
   * @param {import("../../realtime/realtime.js").Realtime} client
   * @param {NodeListOf<HTMLElement>} buttons that open and close it
   */
  constructor(client, buttons) {
    this.#client = client;
    this.#arrivals = new Arrivals(client);
    this.#buttons = buttons;
    chooseTransport(document.getElementById("transport"), client);
    for (const button of buttons) button.addEventListener("click", () => this.#toggle(button));
    document.getElementById("inspector-close").addEventListener("click", () => this.#close());
    this.#drawer.addEventListener("keydown", (event) => event.key === "Escape" && this.#close());
    this.#narrow.addEventListener("change", () => this.#cover());
    this.#filter.addEventListener("input", () => this.#renderAll());
    this.#quiet.addEventListener("change", () => this.#renderAll());
    this.#pause.addEventListener("click", () => this.#setPaused(!this.#paused));
    document.getElementById("events-clear").addEventListener("click", () => this.#clear());
    document.getElementById("events-copy").addEventListener("click", () => this.#copy());
    this.#arrivals.on("arrival", (arrival) => this.#arrived(arrival));
    client.onState(() => this.#say());
    client.stream.on("open", () => this.#say());
  }

  /** Closes it; what it had is gone. */
  forget() {
    this.#clear();
    if (!this.#drawer.hidden) this.#close();
  }

  #toggle(button) {
    if (!this.#drawer.hidden) return this.#close();
    this.#opener = button;
    this.#drawer.hidden = false;
    this.#expand();
    this.#say();
    this.#renderAll();
    document.getElementById("inspector-title").focus();
  }

  #close() {
    this.#drawer.hidden = true;
    this.#expand();
    this.#list.replaceChildren();
    this.#opener?.focus();
  }

  #expand() {
    const open = !this.#drawer.hidden;
    for (const button of this.#buttons) button.setAttribute("aria-expanded", String(open));
    document.body.classList.toggle("inspecting", open);
    this.#cover();
  }

  /** On a phone it covers the page. */
  #cover() {
    document.querySelector(".app").inert = !this.#drawer.hidden && this.#narrow.matches;
  }

  #say() {
    if (this.#drawer.hidden) return;
    const { transport, state } = this.#client;
    this.#now.textContent = transport ? `Now by ${NAMES[transport]}.` : `Now: ${state}.`;
  }

  // Events

  get #shown() {
    return this.#paused ? this.#pausedAt : this.#arrivals.all;
  }

  #passes({ type, channel, text }) {
    if (!this.#quiet.checked && type === "keep-alive") return false;
    const wanted = this.#filter.value.trim().toLowerCase();
    return !wanted || [type, channel, text].some((value) => value.toLowerCase().includes(wanted));
  }

  #arrived(arrival) {
    if (this.#paused) this.#missed += 1;
    if (this.#drawer.hidden) return;
    if (!this.#paused && this.#passes(arrival)) this.#list.prepend(row(arrival));
    while (this.#list.children.length > LIMIT) this.#list.lastElementChild.remove();
    this.#tell();
  }

  #renderAll() {
    const shown = this.#shown.filter((arrival) => this.#passes(arrival));
    this.#list.replaceChildren(...shown.map(row).reverse());
    this.#tell();
  }

  #tell() {
    this.#count.textContent = this.#paused ? `Paused, ${this.#missed} more since.` : counted(this.#list.children.length, this.#shown.length);
  }

  #setPaused(paused) {
    this.#paused = paused;
    this.#missed = 0;
    this.#pausedAt = paused ? this.#arrivals.all : [];
    this.#pause.setAttribute("aria-pressed", String(paused));
    this.#renderAll();
  }

  #clear() {
    this.#arrivals.clear();
    this.#missed = 0;
    this.#pausedAt = [];
    this.#renderAll();
  }

  async #copy() {
    const shown = this.#shown.filter((arrival) => this.#passes(arrival));
    const lines = shown.map(({ number, time, text, ...rest }) => JSON.stringify({ time, ...rest, message: text }));
    const done = await copied(lines.join("\n"));
    announce(done ? `Copied ${shown.length} events.` : "This browser did not allow copying.");
  }
}

function row(arrival) {
  const { type, channel, id, size, time, delay, transport, repeated, text } = arrival;
  const facts = [
    h("span", { className: "event-type", textContent: type }),
    h("span", { className: "event-delay", textContent: inWords(delay) }),
    h("span", { className: "event-channel", textContent: channel || "the stream itself" }),
    h("span", { className: "event-size", textContent: size === null ? "" : `${size} B` }),
    h("span", { className: "event-more", textContent: [TIME.format(time), NAMES[transport], id ?? "no id", repeated ? "repeated, passed over" : ""].filter(Boolean).join(" · ") }),
  ];
  return h("li", {}, h("details", {}, h("summary", {}, ...facts), h("pre", { tabIndex: 0, textContent: text })));
}

function counted(shown, all) {
  if (!all) return "Nothing yet. Change something, here or elsewhere.";
  const events = all === LIMIT ? `the last ${LIMIT} events` : `${all} ${all === 1 ? "event" : "events"}`;
  if (shown < all) return `${shown} of ${events}.`;
  return all === LIMIT ? `The last ${LIMIT} events.` : `${events}.`;
}

function inWords(delay) {
  if (!delay) return "";
  const { milliseconds, error } = delay;
  if (milliseconds > 60_000) return "older";
  if (error > VAGUE) return `under ${Math.ceil(milliseconds + error)} ms`;
  return `${Math.max(0, Math.round(milliseconds))} ms ± ${Math.ceil(error)}`;
}
