/**
 * Makes a page of the browsable API live: follows the stream of its `Link` header from the position there, and when something
 * changes, asks for the page again and takes over what the server shows now. What somebody has typed stays.
 *
 * An element of its own, since the browsable API writes a whole new document into the window after a PUT: scripts of the former
 * one go on then, but an element knows that it is gone.
 */

import { addRow, isSignal, showState } from "./events.js";
import { Follower } from "./follower.js";
import { syncForms } from "./forms.js";
import { streamLink } from "./realtime/http.js";
import { showRepresentation } from "./representation.js";

/** Between two requests for the page, in milliseconds: what changes often is shown a little later. */
const PAUSE = 400;

class LivePage extends HTMLElement {
  #follower = null;
  #timer = 0;
  #loading = false;
  #again = false;
  #count = 0;

  connectedCallback() {
    const link = streamLink(new Response(null, { headers: { Link: this.dataset.link } }));
    if (!link) return;
    this.#part("log").hidden = false;
    this.#follower = new Follower(link.url, {
      event: (event) => this.#hear(event),
      state: (state, error) => this.#show(state, error),
    });
    this.#follower.follow(link.channels, link.position);
  }

  disconnectedCallback() {
    clearTimeout(this.#timer);
    this.#follower?.pause();
    this.#follower = null;
  }

  #part(name) {
    return this.querySelector(`[data-live="${name}"]`);
  }

  #hear(event) {
    if (event.type === "stream-reset") this.#refresh();
    if (isSignal(event)) return;
    addRow(this.#part("events"), event);
    this.#count += 1;
    this.#part("count").textContent = String(this.#count);
    this.#part("last").textContent = `${event.type}, ${new Date().toLocaleTimeString()}`;
    this.#refresh();
  }

  #show(state, error) {
    showState(this.#part("state"), state);
    if (state === "ended" || state === "reconnecting") this.#note(error?.message ?? "");
    else if (state === "live") this.#note("");
  }

  #note(text) {
    this.#part("note").textContent = text;
  }

  #refresh() {
    this.#again = true;
    if (!this.#loading && !this.#timer) this.#timer = setTimeout(() => this.#load(), this.#count > 1 ? PAUSE : 0);
  }

  async #load() {
    this.#timer = 0;
    this.#loading = true;
    this.#again = false;
    try {
      await this.#take();
    } catch {
      this.#note("The page can’t be asked for just now.");
      this.#again = true;
    }
    this.#loading = false;
    if (this.#again && this.isConnected) this.#timer = setTimeout(() => this.#load(), PAUSE);
  }

  async #take() {
    const response = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (response.status >= 500 || response.status === 429) throw new Error(String(response.status));
    const fresh = new DOMParser().parseFromString(withoutStyles(await response.text()), "text/html");
    if (!this.isConnected) return;
    showRepresentation(fresh);
    const link = streamLink(response);
    if (link) {
      this.#part("position").textContent = link.position;
      syncForms(fresh);
      this.#extend(link.channels);
    } else this.#end(response.status);
  }

  /** A list may come to be told of by other channels than before. */
  #extend(channels) {
    const followed = this.#follower.channels;
    const same = channels.length === followed.size && channels.every((name) => followed.has(name));
    if (!same && this.#follower.state !== "ended") this.#follower.follow(channels, this.#follower.position);
  }

  /** What is no more can't change. */
  #end(status) {
    this.#follower.pause();
    showState(this.#part("state"), "ended");
    this.#note(status === 404 ? "It is gone. What you have typed is still here." : `The server answers ${status} now.`);
  }
}

/** REST framework's style attributes, which our policy forbids, and would have the browser complain of each time. */
function withoutStyles(html) {
  return html.replace(/ style="[^"]*"/g, "");
}

customElements.define("realtime-live", LivePage);
