/** The page: its form, one measurement at a time, and what is said of it. */

import { milliseconds } from "./numbers.js";
import { Report } from "./report.js";
import { Run } from "./run.js";

/** Between two looks at the numbers, in milliseconds. */
const REFRESH = 250;

class Page {
  #form = document.getElementById("plan");
  #start = document.getElementById("start");
  #stop = document.getElementById("stop");
  #clock = document.getElementById("clock");
  #status = document.getElementById("status");
  #progress = document.getElementById("progress");
  #run = null;
  #hidden = false;

  constructor() {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!this.#run) this.#measure();
    });
    this.#stop.addEventListener("click", () => this.#run?.stop());
    addEventListener("pagehide", () => this.#run?.stop());
    document.addEventListener("visibilitychange", () => (this.#hidden ||= document.hidden));
    document.getElementById("protocol").textContent = protocol();
    this.#ready();
  }

  async #measure() {
    const plan = this.#plan();
    if (!plan.transports.length) return this.#say("Choose at least one way to hear of changes.", true);
    const { key, wait } = document.body.dataset;
    const run = (this.#run = new Run({ key, wait: Number(wait) }, plan));
    const report = new Report(plan.duration / 1000);
    report.clear();
    this.#hidden = document.hidden;
    this.#busy(true);
    this.#say("Measuring.");
    const timer = setInterval(() => this.#refresh(run, report, plan), REFRESH);
    try {
      await run.measure();
      this.#say(this.#summary(run));
    } catch (error) {
      this.#say(`It ended early. ${error.message}`, true);
    }
    clearInterval(timer);
    this.#refresh(run, report, plan);
    this.#run = null;
    this.#busy(false);
  }

  #plan() {
    const data = new FormData(this.#form);
    return {
      transports: data.getAll("transport"),
      rate: Number(data.get("rate")),
      interval: Number(data.get("interval")) * 1000,
      duration: Number(data.get("duration")) * 1000,
    };
  }

  #refresh(run, report, plan) {
    run.sample();
    report.show(run);
    const share = Math.min(1, (run.elapsed * 1000) / plan.duration);
    this.#progress.value = share;
    const seconds = Math.min(run.elapsed, plan.duration / 1000).toFixed(0);
    this.#clock.textContent = run.elapsed ? `${seconds} of ${plan.duration / 1000} s` : "Opening";
  }

  #summary(run) {
    const sorted = [...run.writes].sort((a, b) => a - b);
    const half = sorted[Math.floor(sorted.length / 2)];
    const wrote = sorted.length
      ? `${sorted.length} changes were written; a write took ${milliseconds(half)} until its own answer, in the median.`
      : "Nothing was written: this is what silence costs.";
    const hidden = this.#hidden ? " The page was in the background for a while: browsers slow its clock down then." : "";
    return `Done. ${wrote} The list is deleted.${hidden}`;
  }

  #busy(on) {
    for (const control of this.#form.querySelectorAll("select, input")) control.disabled = on || "never" in control.dataset;
    this.#start.disabled = on;
    this.#stop.disabled = !on;
    const next = on ? this.#stop : this.#start;
    if (document.activeElement === document.body || document.activeElement?.disabled) next.focus();
  }

  #ready() {
    this.#busy(false);
    document.documentElement.classList.add("ready");
  }

  #say(text, alarm = false) {
    this.#status.textContent = text;
    this.#status.classList.toggle("alarm", alarm);
  }
}

/** By what this page came, in words. */
function protocol() {
  const name = performance.getEntriesByType("navigation")[0]?.nextHopProtocol ?? "";
  if (/^h[23]/.test(name)) {
    return `This page came by HTTP/${name[1]}, which compresses the heads of requests that repeat: sizes here are those before that.`;
  }
  return "This page came by HTTP/1.1, so these are the bytes on the line.";
}

new Page();
