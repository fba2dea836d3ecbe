/** The page of the streams: choose channels, hear them live, stop, and go on from any id. */

import { addRow, showState } from "./events.js";
import { Follower } from "./follower.js";

const $ = (id) => document.getElementById(id);

class StreamPage {
  #place = $("stream");
  #form = $("stream-form");
  #add = $("stream-add");
  #from = $("stream-from");
  #pause = $("stream-pause");
  #error = $("stream-error");
  #rows = $("stream-events");
  #signals = $("stream-signals").querySelector("input");
  #hints = JSON.parse($("stream-hints").textContent);
  #follower = new Follower(this.#place.dataset.url, {
    event: (event) => this.#hear(event),
    state: (state, error) => this.#show(state, error),
  });

  start() {
    this.#form.addEventListener("submit", (event) => this.#listen(event));
    this.#add.noValidate = true; // what is wrong is said in words, beside the field
    this.#add.addEventListener("submit", (event) => this.#other(event));
    $("stream-other").addEventListener("input", () => this.#check(false));
    this.#pause.addEventListener("click", () => this.#toggle());
    $("stream-clear").addEventListener("click", () => this.#clear());
    for (const element of [this.#pause, $("stream-clear"), $("stream-signals")]) element.hidden = false;
    addEventListener("popstate", () => location.reload());
    const position = this.#place.dataset.lastEventId;
    if (position) this.#follow(this.#chosen, new URLSearchParams(location.search).get("lastEventId") || position);
  }

  get #chosen() {
    return new FormData(this.#form).getAll("channel");
  }

  #listen(event) {
    event.preventDefault();
    const channels = this.#chosen;
    if (!channels.length) return this.#refuse({ status: 400, message: "No channel is chosen." });
    const from = this.#from.value.trim();
    const query = new URLSearchParams(channels.map((name) => ["channel", name]));
    if (from) query.set("lastEventId", from);
    history.pushState(null, "", `${location.pathname}?${query}`);
    // Whoever adds a channel in passing misses nothing of the others.
    const goesOn = this.#follower.state !== "ended" && channels.some((name) => this.#follower.channels.has(name));
    this.#from.value = "";
    this.#follow(channels, from || (goesOn ? this.#follower.position : null));
  }

  #other(event) {
    event.preventDefault();
    if (!this.#check(true)) return;
    const name = $("stream-other").value.trim();
    const known = [...this.#form.querySelectorAll("[name=channel]")].find(({ value }) => value === name);
    if (known) known.checked = true;
    else this.#offer(name);
    this.#add.reset();
  }

  /** Says what a name must not have as soon as it has it, and that there must be one when it is `sent`. */
  #check(sent) {
    const field = $("stream-other");
    const name = field.value.trim();
    const wrong = [...new Set(name.replace(/[a-zA-Z0-9_=@,.;-]/g, ""))].map((letter) => (letter === " " ? "space" : letter));
    let text = "";
    if (wrong.length) text = `A channel’s name has letters, digits and - _ = @ , . ; but no ${wrong.join(" ")}`;
    else if (sent && !name) text = "Which one? For example: news";
    $("stream-other-help").textContent = text;
    field.setAttribute("aria-invalid", String(Boolean(text)));
    if (text && sent) field.focus();
    return !text;
  }

  #offer(name) {
    const box = Object.assign(document.createElement("input"), { type: "checkbox", name: "channel", value: name, checked: true });
    const label = document.createElement("label");
    label.append(box, ` ${name}`);
    $("stream-others").append(label);
    $("stream-others").hidden = false;
    box.focus();
  }

  #follow(channels, position) {
    this.#error.hidden = true;
    this.#place.hidden = false;
    const query = new URLSearchParams([...channels].map((name) => ["channel", name]));
    const curl = $("stream-curl");
    curl.textContent = `${curl.dataset.command} "${location.origin}${location.pathname}?${query}"`;
    this.#follower.follow(channels, position);
  }

  #toggle() {
    if (this.#follower.state === "paused" || this.#follower.state === "ended") this.#follow(this.#chosen, this.#follower.position);
    else this.#follower.pause();
  }

  #hear(event) {
    $("stream-position").textContent = this.#follower.position ?? "";
    if (event.type === "keep-alive" && !this.#signals.checked) return;
    const row = addRow(this.#rows, event);
    $("stream-empty").hidden = true;
    // A stream that starts elsewhere than it was asked to has an id that leads nowhere, until it has said why.
    if (event.id && event.id === this.#follower.position) row.cells[1].append(this.#resumeButton(event.id));
    if (event.type === "stream-error") this.#refuse({ status: 403, message: `${event.message.text} ${event.message.channels.join(", ")}` });
  }

  /** Hears everything after an event once more. */
  #resumeButton(id) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "btn btn-link", textContent: "from here", title: `Resume after ${id}` });
    button.addEventListener("click", () => this.#follow(this.#chosen, id));
    return button;
  }

  #clear() {
    this.#rows.replaceChildren();
    $("stream-empty").hidden = false;
  }

  #show(state, error) {
    showState($("stream-state"), state);
    this.#pause.textContent = state === "paused" || state === "ended" ? "Go on" : "Pause";
    $("stream-note").textContent = state === "reconnecting" && error ? error.message : "";
    if (state === "ended" && error) this.#refuse(error);
  }

  #refuse({ status, message }) {
    const strong = document.createElement("strong");
    strong.textContent = `${status}:`;
    this.#error.replaceChildren(strong, ` ${message} ${this.#hints[status] ?? ""}`);
    this.#error.className = "alert alert-danger";
    this.#error.hidden = false;
  }
}

new StreamPage().start();
