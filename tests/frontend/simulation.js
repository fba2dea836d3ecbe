/** Random people, a random network, and whether every page ends up with what the server has. */

import { Realtime } from "/static/realtime/realtime.js";
import { World, dice, until, wait } from "./world.js";

const LISTS = [1, 2, 3];

/** Returns what is wrong, hopefully nothing. @param {"sse"|"websocket"|"both"} transport */
export async function simulate(seed, steps, transport) {
  const world = new World(seed);
  const random = dice(seed + 1);
  const pick = (values) => values[Math.floor(random() * values.length)];
  for (let count = 0; count < 10; count += 1) world.create({ list: pick(LISTS), place: count });
  const client = new Realtime(world.options(transport === "both" ? "websocket" : transport));
  const shown = new Map();
  const witness = new Witness(client, world);

  const show = (list) => {
    const params = { list, ordering: "place,id" };
    const collection = client.collection("rows", { params });
    shown.set(list, collection);
    collection.subscribe();
  };
  const acts = {
    elsewhere() {
      const row = pick([...world.rows.values()]);
      const act = random();
      if (!row || act < 0.25) world.create({ list: pick(LISTS), place: Math.floor(random() * 30) });
      else if (act < 0.55) world.update(row.id, { text: `t${Math.floor(random() * 1e6)}` });
      else if (act < 0.7) world.update(row.id, { place: Math.floor(random() * 30) });
      else if (act < 0.85) world.update(row.id, { list: pick(LISTS) });
      else world.delete(row.id);
    },
    here() {
      const collection = pick([...shown.values()]);
      const row = collection && pick(collection.items);
      const act = random();
      if (!collection) return;
      if (!row || act < 0.25) collection.create({ list: pick(LISTS), text: pick(["mine", "refuse"]) });
      else if (act < 0.75) collection.update(row.id, { text: pick(["refuse", `u${random()}`]) });
      else if (act < 0.85) collection.update(row.id, { place: Math.floor(random() * 30) });
      else collection.delete(row.id);
    },
    turn() {
      const list = pick(LISTS);
      if (!shown.has(list)) return show(list);
      shown.get(list).unsubscribe();
      shown.delete(list);
    },
    cut: () => world.connections.forEach((connection) => connection.break(4200)),
    change: () => client.use(pick(["sse", "websocket"])),
    quiet: () => [...world.streams].forEach((stream) => stream.keepAlive()),
    prune: () => (world.floor = world.log.length),
  };
  // Each run has a nature of its own: calm or not, near or far.
  world.latency = 2 + random() * 14;
  const changes = transport === "both" ? random() * 4 : 0;
  const weights = { elsewhere: 10, here: 6, turn: random() * 6, cut: random() * 4, quiet: 1, prune: random(), change: changes };
  const hat = Object.entries(weights).flatMap(([name, weight]) => Array(Math.round(weight * 10)).fill(name));
  show(1);
  for (let step = 0; step < steps; step += 1) {
    acts[pick(hat)]();
    if (random() < 0.7) await wait(random() * 3);
  }
  for (const list of LISTS) if (!shown.has(list)) show(list);
  const different = () => LISTS.flatMap((list) => differences(shown.get(list).items, world.list(list), world));
  await until(() => !different().length, () => different().join("\n"));
  await until(() => witness.current(), () => "the witness has missed something");
  await until(() => client.state === "open" && world.connections.length === 1, () => "more than one connection stays open");
  const { transport: used } = client;
  client.close();
  return { mistakes: witness.mistakes, used, sockets: world.socketCount, events: world.log.length, resets: witness.resets };
}

/** The rows that are not alike, each with its history. */
function differences(shown, real, world) {
  const one = shown.map((row) => JSON.stringify(row));
  const other = real.map((row) => JSON.stringify(row));
  if (one.join() === other.join()) return [];
  const odd = [
    ...one.filter((row) => !other.includes(row)).map((row) => `shown ${row}`),
    ...other.filter((row) => !one.includes(row)).map((row) => `there is ${row}`),
  ];
  const ids = new Set(odd.map((text) => JSON.parse(text.slice(text.indexOf("{"))).id));
  const history = world.log.filter(({ data }) => ids.has(data.id)).map((entry) => JSON.stringify(entry));
  return odd.length ? [...odd, ...history] : ["another order"];
}

/** Hears everything from now on, and notes each gap, repetition and inversion. */
class Witness {
  mistakes = [];
  resets = 0;
  #last = null;
  #world;

  constructor(client, world) {
    this.#world = world;
    client.subscribe(LISTS.map((list) => `private-list.${list}`), ({ id }) => this.#hear(world.seq(id)));
    client.onReset(() => {
      this.resets += 1;
      this.#last = null; // what came before is said to be lost
    });
  }

  current() {
    return this.#last === null || this.#last === this.#world.log.length;
  }

  #hear(seq) {
    if (this.#last !== null && seq !== this.#last + 1) this.mistakes.push(`${seq} follows ${this.#last}`);
    this.#last = seq;
  }
}
