/** What was measured, in the page's tables and charts. */

import { bytes, megabits, megabytes, milliseconds } from "./numbers.js";
import { Plot } from "./plot.js";

const NAMES = { polling: "polling", longpolling: "long polling", sse: "Server-Sent Events", websocket: "WebSocket" };

export class Report {
  #growth = new Plot(document.getElementById("growth"), { label: bytes });
  #delay = new Plot(document.getElementById("delay"), { label: milliseconds, logarithmic: true });

  /** @param {number} seconds how long it will take, at most */
  constructor(seconds) {
    this.seconds = seconds;
  }

  /** @param {import("./run.js").Run} run */
  show(run) {
    const reach = Math.max(this.seconds, run.elapsed);
    for (const [name, meter] of run.meters) this.#row(name, meter, run);
    const series = [...run.meters];
    this.#growth.draw(series.map(([name, { growth }]) => ({ name, points: growth })), reach);
    this.#delay.draw(series.map(([name, { delays }]) => ({ name, points: delays })), reach);
    this.#describe(series);
  }

  /** Empties what another measurement has left. */
  clear() {
    for (const cell of document.querySelectorAll("[data-cell]")) cell.textContent = "–";
    this.#growth.draw([], this.seconds);
    this.#delay.draw([], this.seconds);
  }

  #row(name, meter, run) {
    const { setup, seen, missed, framing, envelope, total } = meter;
    const late = meter.quantile(0.5);
    exactly(name, { up: meter.up, down: meter.down, setup: setup.up + setup.down });
    fill(name, {
      requests: String(meter.requests),
      up: bytes(meter.up),
      down: bytes(meter.down),
      each: run.written ? bytes(total / run.written) : "–",
      setup: bytes(setup.up + setup.down),
      seen: missed ? `${seen}, ${missed} skipped` : String(seen),
      median: late === null ? "–" : milliseconds(late),
      most: late === null ? "–" : milliseconds(meter.quantile(0.95)),
      framing: framing === null ? "–" : bytes(framing),
      megabits: framing === null ? "–" : megabits(framing),
      megabytes: framing === null ? "–" : megabytes(framing),
      envelope: envelope === null ? "–" : bytes(envelope),
      ran: run.elapsed ? megabits(total / run.elapsed) : "–",
    });
  }

  /** The charts in words, for those who can't see them. */
  #describe(series) {
    const growth = series.map(([name, meter]) => `${NAMES[name]} ${bytes(meter.total)}`);
    const delay = series
      .filter(([, meter]) => meter.seen)
      .map(([name, meter]) => `${NAMES[name]} ${milliseconds(meter.quantile(0.5))}`);
    document.getElementById("growth-title").textContent = `Bytes so far: ${growth.join(", ")}`;
    document.getElementById("delay-title").textContent = delay.length ? `Median delay: ${delay.join(", ")}` : "No change has arrived yet";
  }
}

function fill(name, values) {
  for (const [cell, value] of Object.entries(values)) {
    const element = cellOf(name, cell);
    if (element.textContent !== value) element.textContent = value;
  }
}

/** What is rounded in the table is exact where somebody points at it. */
function exactly(name, values) {
  for (const [cell, value] of Object.entries(values)) cellOf(name, cell).title = `${value} bytes`;
}

function cellOf(name, cell) {
  return document.querySelector(`[data-of="${name}"] [data-cell="${cell}"]`);
}
