/** A line chart in SVG, as wide as its place: series over seconds, linear or logarithmic. */

const NAMESPACE = "http://www.w3.org/2000/svg";
const HEIGHT = 240;
const MARGIN = { top: 12, right: 12, bottom: 30, left: 62 };

export class Plot {
  #svg;
  #options;
  #drawn = null;

  /**
   * @param {SVGSVGElement} svg
   * @param {object} options
   * @param {(value: number) => string} options.label of the vertical axis
   * @param {boolean} [options.logarithmic]
   */
  constructor(svg, options) {
    this.#svg = svg;
    this.#options = options;
    new ResizeObserver(() => this.#drawn && this.draw(...this.#drawn)).observe(svg.parentElement);
  }

  /**
   * @param {{name: string, points: [number, number][], steps?: boolean}[]} series
   * @param {number} seconds how far the horizontal axis goes
   */
  draw(series, seconds) {
    this.#drawn = [series, seconds];
    const width = Math.max(260, this.#svg.parentElement.clientWidth);
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.#svg.setAttribute("height", String(HEIGHT));
    const values = series.flatMap(({ points }) => points.map(([, value]) => value));
    const x = scale(0, seconds, MARGIN.left, width - MARGIN.right);
    const { y, ticks } = this.#vertical(values);
    this.#svg.replaceChildren(
      ...ticks.flatMap((value) => this.#rule(value, y(value), width)),
      ...steps(seconds, Math.max(2, Math.floor(width / 90))).map((value) => text("tick", x(value), HEIGHT - 10, `${value} s`)),
      ...series.map(({ name, points }) => line(name, points.map(([at, value]) => [x(at), y(value)]))),
    );
  }

  #vertical(values) {
    const bottom = HEIGHT - MARGIN.bottom;
    if (!this.#options.logarithmic) {
      const ticks = steps(Math.max(1000, ...values), 4);
      return { y: scale(0, Math.max(1000, ...values, ticks.at(-1)), bottom, MARGIN.top), ticks };
    }
    const low = Math.floor(Math.log10(Math.max(1, Math.min(10, ...values))));
    const high = Math.max(low + 2, Math.ceil(Math.log10(Math.max(10, ...values))));
    const y = scale(low, high, bottom, MARGIN.top);
    const ticks = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index));
    return { y: (value) => y(Math.log10(Math.max(value, 10 ** low))), ticks };
  }

  #rule(value, y, width) {
    const rule = element("line", { class: "rule", x1: MARGIN.left, x2: width - MARGIN.right, y1: y, y2: y });
    const label = text("tick end", MARGIN.left - 8, y + 4, this.#options.label(value));
    return [rule, label];
  }
}

function line(name, points) {
  const d = points.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
  return element("path", { class: `line ${name}`, d });
}

function text(name, x, y, content) {
  const label = element("text", { class: name, x, y });
  label.textContent = content;
  return label;
}

function element(tag, attributes) {
  const made = document.createElementNS(NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function scale(from, to, start, end) {
  return (value) => start + ((value - from) / (to - from || 1)) * (end - start);
}

/** Round numbers from 0 up to a limit, about so many. */
function steps(limit, count) {
  const rough = limit / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  return Array.from({ length: Math.floor(limit / step) + 1 }, (_, index) => Number((index * step).toPrecision(6)));
}
