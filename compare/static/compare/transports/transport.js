/** What the ways to hear of changes have in common: `open` to set up, `begin` when all are, `close` at the end. */

export class Transport {
  /**
   * @param {import("../run.js").Site} site
   * @param {import("../meter.js").Meter} meter by which it is counted
   * @param {(item: object) => void} hear is called with the item as it is after a change
   */
  constructor(site, meter, hear) {
    this.site = site;
    this.meter = meter;
    this.hear = hear;
  }

  async open() {}

  begin() {}
}
