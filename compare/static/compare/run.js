/**
 * One measurement: a list of the reader's own, to which this page writes, and the same changes heard by all
 * transports at once. All times are of one clock, the page's.
 */

import { Http, streamLink } from "../realtime/realtime/http.js";
import { Heads } from "./heads.js";
import { Meter } from "./meter.js";
import { Events } from "./transports/eventsource.js";
import { LongPolling } from "./transports/longpolling.js";
import { Polling } from "./transports/polling.js";
import { Socket } from "./transports/websocket.js";

const KINDS = { polling: Polling, longpolling: LongPolling, sse: Events, websocket: Socket };
/** For how long the last changes are waited for beyond a poll's interval, in milliseconds. */
const GRACE = 2000;

/**
 * @typedef {object} Site what the transports know of where they are
 * @property {Heads} heads
 * @property {string} list the list's items, @property {string} events its stream, @property {string} channel
 * @property {string} position where the stream begins
 * @property {string} key Pusher's, @property {number} wait for how many seconds a poll is held
 * @property {number} interval milliseconds between two polls
 * @property {(error: Error) => void} fail ends the measurement
 */

export class Run {
  /** By transport. @type {Map<string, Meter>} */
  meters = new Map();
  /** Milliseconds that each write took, until its answer. */
  writes = [];

  #options;
  #plan;
  #http = new Http({ base: "/api/", fetch: fetch.bind(window), token: null, credentials: "same-origin", csrf });
  #transports = [];
  #scratch = null;
  #sent = new Map();
  #start = null;
  #end = null;
  #stopped = null;
  #error = null;
  #over = new Promise((resolve) => (this.#stopped = resolve));

  /**
   * @param {{key: string, wait: number}} options
   * @param {{transports: string[], rate: number, interval: number, duration: number}} plan events a second, then
   *   milliseconds
   */
  constructor(options, plan) {
    this.#options = options;
    this.#plan = plan;
    for (const name of plan.transports) this.meters.set(name, new Meter());
  }

  /** Seconds since the first write could be sent, up to the end; 0 before. */
  get elapsed() {
    return this.#start === null ? 0 : ((this.#end ?? performance.now()) - this.#start) / 1000;
  }

  /** How many changes were written. */
  get written() {
    return this.writes.length;
  }

  /** Measures until the time is over, or `stop`. Rejects if something fails; then nothing is left either. */
  async measure() {
    try {
      await this.#prepare();
      if (this.#end !== null) return;
      this.#start = performance.now();
      for (const meter of this.meters.values()) meter.begin();
      for (const transport of this.#transports) transport.begin();
      await Promise.race([this.#write(), this.#over]);
    } finally {
      this.stop();
      await this.#remove();
      if (this.#error) throw this.#error;
    }
  }

  /** Ends it, now. The list is deleted by a request that outlives the page, should that be closed. */
  stop() {
    this.#end ??= performance.now();
    this.sample();
    for (const transport of this.#transports) transport.close();
    this.#stopped();
  }

  /** Takes down how many bytes there are by now. */
  sample() {
    if (this.#start === null) return;
    for (const meter of this.meters.values()) meter.sample(this.elapsed);
  }

  async #prepare() {
    const { data: scratch } = await this.#http.write("POST", "/compare/scratch/");
    this.#scratch = scratch;
    const list = `/api/todo-items/?todo_list=${scratch.todo_list}`;
    const { response } = await this.#http.get(list);
    const link = streamLink(response);
    const events = `${new URL(link.url).pathname}?channel=${link.channels[0]}`;
    const site = {
      ...this.#options,
      heads: new Heads("/compare/request/"),
      list,
      events,
      channel: link.channels[0],
      position: link.position,
      interval: this.#plan.interval,
      fail: (error) => this.#fail(error),
    };
    this.#transports = [...this.meters].map(([name, meter]) => new KINDS[name](site, meter, (item) => this.#hear(meter, item)));
    await Promise.race([Promise.all(this.#transports.map((transport) => transport.open())), this.#over]);
  }

  async #write() {
    const { rate, duration } = this.#plan;
    const url = this.#http.url(`todo-items/${this.#scratch.item}/`);
    const end = this.#start + duration;
    let sent = this.#start;
    for (let number = 1; rate; number += 1) {
      // At uneven moments, or changes would keep step with the polls, and all be as late as the first. A page
      // that was held up does not catch up: a burst would be no rate.
      const due = sent + (1000 / rate) * (0.5 + Math.random());
      if (due > end) break;
      await until(due);
      if (this.#end !== null) return;
      sent = performance.now();
      this.#sent.set(number, sent);
      await this.#http.write("PATCH", url, { text: `Event ${number}` });
      this.writes.push(performance.now() - sent);
    }
    await until(end);
    const patience = performance.now() + this.#plan.interval + GRACE;
    while (this.#end === null && performance.now() < patience && !this.#complete) await until(performance.now() + 50);
  }

  get #complete() {
    return [...this.meters.values()].every((meter) => meter.has(this.written));
  }

  #hear(meter, { text }) {
    const number = Number(/^Event ([0-9]+)$/.exec(text)?.[1] ?? 0);
    if (this.#end === null) meter.arrive(number, this.#sent.get(number), performance.now(), this.#start);
  }

  #fail(error) {
    if (this.#end !== null) return;
    this.#error = error;
    this.stop();
  }

  async #remove() {
    const scratch = this.#scratch;
    this.#scratch = null;
    if (scratch) await this.#http.write("DELETE", this.#http.url(`todo-lists/${scratch.todo_list}/`)).catch(() => {});
  }
}

function csrf() {
  return document.querySelector('meta[name="csrf-token"]').content;
}

function until(time) {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, time - performance.now())));
}
