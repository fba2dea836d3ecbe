/** Scenes with the client and a model of the server; each returns what was seen. */

import { Realtime } from "/static/realtime/realtime.js";
import { World, json, until } from "./world.js";

async function scene(list = 1, count = 2, transport = "sse", prepare = () => {}) {
  const world = new World();
  for (let place = 1; place <= count; place += 1) world.create({ list, place, text: `row ${place}` });
  prepare(world);
  const client = new Realtime(world.options(transport));
  const rows = client.collection("rows", { params: { list, ordering: "place,id" } });
  await rows.subscribe();
  await client.ready;
  return { world, client, rows };
}

const texts = (rows) => rows.items.map(({ text }) => text);
const soon = (condition, what) => until(condition, () => what);
const alone = (world) => soon(() => world.connections.length === 1, "one connection alone");
const streams = (world) => world.requests.filter(({ path }) => path === "events/");

export async function optimistic() {
  const { world, rows } = await scene();
  const promise = rows.update(1, { text: "changed" });
  const atOnce = texts(rows);
  const pending = rows.entries[0].pending;
  const answer = await promise;
  await soon(() => !rows.entries[0].pending, "the write to settle");
  const { headers } = world.requests.find(({ method }) => method === "PATCH");
  return { atOnce, pending, answer: answer.text, settled: texts(rows), headers };
}

export async function refused() {
  const { rows } = await scene();
  const errors = [];
  rows.on("error", (error) => errors.push([error.status, error.message, error.write.kind]));
  const promise = rows.update(1, { text: "refuse" });
  const atOnce = texts(rows);
  const rejected = await promise.then(() => false, ({ data }) => data);
  return { atOnce, after: texts(rows), errors, rejected };
}

export async function manyWrites() {
  const { world, rows } = await scene();
  rows.update(1, { text: "a" });
  const bad = rows.update(1, { text: "refuse", place: 9 }).catch(() => "refused");
  rows.update(1, { place: 7 });
  const last = rows.update(1, { text: "c" });
  const atOnce = { ...rows.items.find(({ id }) => id === 1) };
  world.update(1, { note: "by another" });
  await Promise.all([bad, last]);
  await soon(() => rows.entries.every(({ pending }) => !pending), "the writes to settle");
  return { atOnce, real: world.rows.get(1), shown: rows.items.find(({ id }) => id === 1) };
}

/** What a person sees of a row while the answer is faster than the events before it. */
export async function answerBeforeEvents() {
  const { world, rows } = await scene();
  const seen = new Set();
  rows.on("change", () => seen.add(`${rows.items[0].text}/${rows.items[0].note ?? ""}`));
  world.latency = 40; // of the streams; the write's own is awaited by nobody
  world.update(1, { note: "by another" });
  world.latency = 0;
  await rows.update(1, { text: "mine" });
  await soon(() => rows.items[0].note && !rows.entries[0].pending, "all to arrive");
  return [...seen];
}

export async function created() {
  const { world, rows } = await scene();
  const promise = rows.create({ list: 1, text: "new", place: 3 });
  const { key, row } = rows.entries[2];
  rows.update(key, { text: "newer" });
  const atOnce = texts(rows);
  const { id } = await promise;
  await soon(() => world.rows.get(id)?.text === "newer", "the second write");
  await soon(() => rows.entries.every(({ pending }) => !pending), "the writes to settle");
  return { atOnce, temporary: row.id === key, sameKey: rows.entries[2].key === key, shown: rows.items[2], real: world.rows.get(id) };
}

export async function deleted() {
  const { world, rows } = await scene(1, 3);
  rows.delete(2);
  const atOnce = texts(rows);
  world.delete(3);
  await rows.delete(3).catch(() => {}); // both at once: it is gone, as wished
  await soon(() => !world.rows.has(2) && rows.items.length === 1, "the deletions");
  return { atOnce, after: texts(rows) };
}

export async function nothingChanged() {
  const { world, rows } = await scene();
  await rows.update(1, { text: "row 1" }); // causes no event
  world.update(1, { text: "by another" });
  await soon(() => texts(rows)[0] === "by another", "the other's change to show");
  return texts(rows);
}

export async function filtered() {
  const { world, rows } = await scene(1, 3);
  world.update(2, { list: 2 });
  await soon(() => rows.items.length === 2, "the row to leave");
  const without = texts(rows);
  rows.update(3, { list: 5 });
  const mine = texts(rows);
  world.update(2, { list: 1, place: 0 });
  await soon(() => rows.items[0].id === 2, "the row to enter, in order");
  return { without, mine, after: texts(rows) };
}

export async function reset(transport) {
  const { world, client, rows } = await scene(1, 2, transport);
  const resets = [];
  client.onReset((detail) => resets.push(detail));
  const before = world.requests.length;
  world.connections.forEach((connection) => connection.break());
  world.update(1, { text: "unheard" });
  world.delete(2);
  world.floor = world.log.length;
  await soon(() => texts(rows).join() === "unheard", "the rows to be loaded anew");
  const loads = world.requests.slice(before).filter(({ path }) => path === "rows/").length;
  return { resets, loads };
}

export async function resumed() {
  const { world, client, rows } = await scene();
  const states = [];
  client.onState((state) => states.push(state));
  world.update(1, { text: "heard" });
  await soon(() => texts(rows)[0] === "heard", "the first change");
  const last = world.id(world.log.length);
  const before = world.requests.length;
  world.streams.forEach((stream) => stream.break());
  world.update(2, { text: "missed" });
  await soon(() => texts(rows)[1] === "missed", "the missed change");
  const again = world.requests.slice(before);
  return { last, ids: again.map(({ headers }) => headers["Last-Event-ID"]), paths: again.map(({ path }) => path), states };
}

export async function anotherChannel(transport) {
  const { world, client, rows } = await scene(1, 2, transport);
  world.create({ list: 2, text: "other" });
  const messages = [];
  client.onMessage(({ id }) => messages.push(world.seq(id)));
  const others = client.collection("rows", { params: { list: 2, ordering: "place,id" } });
  const loading = others.subscribe();
  for (let count = 0; count < 20; count += 1) {
    world.update(1, { text: `busy ${count}` });
    await world.lag();
  }
  await loading;
  world.update(3, { text: "live" });
  await soon(() => texts(others)[0] === "live" && texts(rows)[0] === "busy 19", "both to be live");
  await alone(world);
  const own = world.log.filter(({ seq, channel }) => seq > 3 && channel === "private-list.1");
  return { open: world.mostStreams, sockets: world.socketCount, heard: messages.filter((seq) => own.some((entry) => entry.seq === seq)), said: own.map(({ seq }) => seq) };
}

/** A list is being loaded, slowly, while another connection takes over for the sake of a third one. */
export async function loadedMeanwhile(transport) {
  const { world, client, rows } = await scene(1, 2, transport);
  let answered = false;
  let arrive = null;
  const late = new Promise((resolve) => (arrive = resolve));
  const { fetch } = client.http;
  client.http.fetch = async (url, options) => {
    const answer = await fetch(url, options);
    if (url.includes("list=1")) {
      answered = true;
      await late;
    }
    return answer;
  };
  const again = client.collection("rows", { params: { list: 1, ordering: "place,id" } });
  const loading = again.subscribe();
  await soon(() => answered, "the answer, which is under way for long");
  world.update(1, { text: "meanwhile" });
  await soon(() => texts(rows)[0] === "meanwhile", "the change");
  await client.collection("rows", { params: { list: 2 } }).subscribe();
  await soon(() => world.connections.some((connection) => connection.carries("private-list.2")), "a stream of both");
  await alone(world);
  arrive();
  await loading;
  await soon(() => texts(again)[0] === "meanwhile", "the change in the list that was loaded late");
  return texts(again);
}

export async function leftChannel(transport) {
  const { world, client, rows } = await scene(1, 2, transport);
  const others = client.collection("rows", { params: { list: 2 } });
  await others.subscribe();
  const both = () => world.connections.some((connection) => connection.carries("private-list.2"));
  await soon(both, "a stream of both");
  others.unsubscribe();
  await soon(() => !both(), "the second list to be left");
  await alone(world);
  world.update(1, { text: "still live" });
  await soon(() => texts(rows)[0] === "still live", "the first list to go on");
  return world.socketCount;
}

export async function refusedChannel(transport) {
  const { world, client, rows } = await scene(1, 2, transport);
  const [first] = world.connections;
  const states = [];
  client.onState((state) => states.push(state));
  world.forbidden.add("private-list.2");
  const others = client.collection("rows", { params: { list: 2 } });
  const told = new Promise((resolve) => others.on("forbidden", ({ status }) => resolve(status)));
  await others.subscribe();
  const status = await told;
  world.update(1, { text: "still live" });
  await soon(() => texts(rows)[0] === "still live", "the first list to go on");
  return { status, state: others.state, same: world.connections.includes(first), states };
}

export async function rightEnds(transport) {
  const { world, client, rows } = await scene(1, 2, transport);
  const others = client.collection("rows", { params: { list: 2 } });
  await others.subscribe();
  await soon(() => world.connections.some((connection) => connection.carries("private-list.2")), "a stream of both");
  await alone(world);
  world.forbid("private-list.2");
  await soon(() => others.state === "forbidden", "the second list to be refused");
  world.update(1, { text: "still live" });
  await soon(() => texts(rows)[0] === "still live", "the first list to go on");
  const one = client.state;
  world.forbid("private-list.1");
  await soon(() => client.state === "forbidden", "the end");
  return { one, rows: rows.state };
}

export async function rightEndedMeanwhile(transport) {
  const { world, client, rows } = await scene(1, 2, transport);
  const others = client.collection("rows", { params: { list: 2 } });
  await others.subscribe();
  await soon(() => world.connections.some((connection) => connection.carries("private-list.2")), "a stream of both");
  await alone(world);
  world.forbidden.add("private-list.2");
  world.connections.forEach((connection) => connection.break());
  await soon(() => others.state === "forbidden", "the second list to be refused");
  world.update(1, { text: "still live" });
  await soon(() => texts(rows)[0] === "still live", "the first list to go on");
  return { state: rows.state, client: client.state };
}

export async function tooMany() {
  const { world, client, rows } = await scene();
  world.intercept = ({ path }) => {
    return path === "events/" && world.streams.size ? json(429, { detail: "Too many." }) : null;
  };
  const others = client.collection("rows", { params: { list: 2 } });
  await others.subscribe();
  world.create({ list: 2, text: "live" });
  await soon(() => texts(others).join() === "live", "the second list, by a stream in place of the first");
  world.update(1, { text: "live" });
  await soon(() => texts(rows)[0] === "live", "the first list to go on");
  return world.streams.size;
}

export async function signedOut() {
  const { world, client, rows } = await scene();
  world.intercept = () => json(401, { detail: "Who are you?" });
  world.streams.forEach((stream) => stream.break());
  await soon(() => client.state === "forbidden", "the end");
  return { rows: rows.state, requests: streams(world).length };
}

export async function shiftedPages() {
  const world = new World();
  for (let place = 1; place <= 8; place += 1) world.create({ list: 1, place, text: `row ${place}` });
  let once = true;
  world.intercept = ({ url }) => {
    if (once && url.searchParams.get("offset")) {
      once = false;
      world.delete(1); // of the first page: what comes behind moves up
      world.create({ list: 1, place: 0, text: "new" }); // and their number stays the same
      world.delete(2);
    }
    return null;
  };
  const client = new Realtime(world.options());
  const rows = client.collection("rows", { params: { list: 1, ordering: "place,id" } });
  await rows.subscribe();
  await soon(() => JSON.stringify(rows.items) === JSON.stringify(world.list(1)), "all rows");
  return { once, shown: texts(rows), fetched: (await rows.getList()).length, single: (await rows.getSingle(3).catch(() => ({ text: "?" }))).text };
}

export async function unknownFilter() {
  const { world, client } = await scene();
  const rows = client.collection("rows", { params: { list: 1, search: "x" } });
  await rows.subscribe();
  await soon(() => streams(world).length, "the stream");
  const before = world.requests.length;
  world.update(1, { text: "x" });
  await soon(() => world.requests.slice(before).some(({ path }) => path === "rows/"), "the server to be asked");
  return true;
}

/** A page that subscribes to channels before it reads a list, while no stream can be opened. */
export async function readWithoutStream(transport) {
  const world = new World();
  for (const place of [1, 2]) world.create({ list: 1, place, text: `row ${place}` });
  let closed = true;
  world.refuseSockets = 4200;
  world.intercept = ({ path, headers }) => {
    const stream = path === "events/" && headers.Accept === "text/event-stream";
    return closed && stream ? json(503, {}) : null;
  };
  const client = new Realtime(world.options(transport));
  const heard = [];
  client.subscribe("private-list.1", ({ data }) => heard.push(data.text));
  const rows = client.collection("rows", { params: { list: 1, ordering: "place,id" } });
  await rows.subscribe();
  const read = texts(rows);
  world.update(1, { text: "changed" }); // before there is any stream
  closed = false;
  world.refuseSockets = 0;
  client.use(transport); // now, and not after a back-off
  await soon(() => heard.length, "what was missed");
  await soon(() => texts(rows)[0] === "changed", "the change to show");
  return { read, heard };
}

export async function byWebSocket() {
  const { world, client, rows } = await scene(1, 2, "websocket");
  const messages = [];
  client.onMessage(({ id, type, mutation }) => messages.push([world.seq(id), type, mutation]));
  const foreign = [];
  rows.on("change", (change) => foreign.push(...change.foreign));
  await rows.update(1, { text: "mine" });
  await soon(() => messages.length === 1 && !rows.entries[0].pending, "the write to come back");
  const last = world.id(world.log.length);
  const [sent, asked] = [world.frames.length, world.requests.length];
  world.connections.forEach((connection) => connection.break(4200));
  world.update(2, { text: "missed" });
  await soon(() => texts(rows)[1] === "missed", "the missed change");
  return {
    transport: client.transport,
    first: world.frames[0].data,
    subscribed: world.frames.slice(sent).find(({ event }) => event === "pusher:subscribe").data,
    last,
    asked: world.requests.slice(asked).map(({ path }) => path),
    messages,
    foreign,
    streams: world.mostStreams,
    url: [...world.sockets][0].url,
  };
}

export async function switched() {
  const { world, client, rows } = await scene();
  const others = client.collection("rows", { params: { list: 2, ordering: "place,id" } });
  await others.subscribe();
  await soon(() => world.connections.some((connection) => connection.carries("private-list.2")), "a stream of both");
  await alone(world);
  const [messages, used, states] = [[], [], []];
  client.onMessage(({ id }) => messages.push(world.seq(id)));
  client.onState((state) => states.push(state));
  const from = world.log.length;
  for (const transport of ["websocket", "sse", "websocket", "sse"]) {
    client.use(transport);
    while (client.transport !== transport) {
      world.update(1, { text: `busy ${world.log.length}` });
      world.create({ list: 2 });
      await world.lag();
    }
    used.push(client.transport);
  }
  await soon(() => messages.at(-1) === world.log.length, "the last change");
  await alone(world);
  return { messages, said: world.log.slice(from).map(({ seq }) => seq), used, states };
}

/** Leaves ways to go on with it. @param {number} code with which WebSockets are closed at once */
export async function withoutWebSockets(code) {
  const { world, client, rows } = await scene(1, 2, "websocket", (made) => (made.refuseSockets = code));
  const messages = [];
  client.onMessage(({ id }) => messages.push(world.seq(id)));
  world.update(1, { text: "live" });
  await soon(() => texts(rows)[0] === "live", "the list to be live all the same");
  globalThis.speak = () => world.update(1, { text: "word" });
  globalThis.heard = () => texts(rows)[0] === "word";
  globalThis.admit = () => (world.refuseSockets = 0);
  globalThis.seen = () => ({ transport: client.transport, sockets: world.socketCount, messages, state: client.state });
}

/** WebSockets that can be opened, but are cut again and again. */
export async function cutWebSockets() {
  const { world, client, rows } = await scene(1, 2, "websocket");
  for (let count = 0; client.transport !== "sse"; count += 1) {
    await soon(() => client.state === "open", "the connection");
    world.sockets.forEach((socket) => socket.break());
    await soon(() => client.state !== "open" || client.transport === "sse", "the cut");
    world.update(1, { text: `cut ${count}` });
    await soon(() => texts(rows)[0] === `cut ${count}`, "what was missed");
  }
  return world.socketCount;
}

/** Leaves ways to go on with it. */
export async function silence(transport) {
  const { world, client, rows } = await scene(1, 2, transport);
  const [stream] = world.connections;
  world.mute = stream;
  globalThis.speak = () => world.update(1, { text: "word" });
  globalThis.heard = () => texts(rows)[0] === "word";
  globalThis.count = () => streams(world).length + world.socketCount;
  globalThis.renewed = () => !world.connections.includes(stream) && client.state === "open";
}

/** A client whose writes wait while they can't be sent, kept in a storage of the test's own. */
function queued(world, transport = "sse") {
  return new Realtime({ ...world.options(transport), queue: "tests" });
}

/** A world, a client whose writes wait in a queue that is empty, and its rows. */
async function queuedRows() {
  localStorage.clear();
  const world = new World();
  const client = queued(world);
  const rows = client.collection("rows", { params: { list: 1, ordering: "place,id" } });
  await rows.subscribe();
  await client.ready;
  return { world, client, rows };
}

/** Lets the next writes through, but loses their answers; or loses all of them. */
function losing(client, count, reaches) {
  const { fetch } = client.http;
  client.http.fetch = async (url, options) => {
    if (!["POST", "PATCH", "DELETE"].includes(options?.method) || count === 0) return fetch(url, options);
    count -= 1;
    if (reaches) await fetch(url, options);
    throw new TypeError("network error");
  };
}

const writesOf = (world) => world.requests.filter(({ method, path }) => method !== "GET" && path.startsWith("rows/"));

export async function answerLost(pruned) {
  const { world, client, rows } = await queuedRows();
  losing(client, 1, true);
  world.intercept = ({ path, headers }) => (path === "events/" && headers.Accept !== "application/json" ? json(503, {}) : null);
  world.streams.forEach((stream) => stream.break());
  const outcome = rows.create({ list: 1, text: "once", place: 1 }).then(({ text }) => text, ({ message }) => message);
  await soon(() => client.outbox.waiting, "it to wait");
  if (pruned) world.floor = world.log.length;
  client.outbox.wake();
  const said = await outcome;
  world.intercept = () => null;
  await soon(() => rows.entries.every(({ pending }) => !pending), "it to settle");
  return { said, there: [...world.rows.values()].map(({ text }) => text), sent: writesOf(world).length, refused: client.outbox.refused.length };
}

export async function inOrder() {
  const { world, client, rows } = await queuedRows();
  losing(client, 1, false);
  rows.create({ list: 1, text: "a", place: 1 });
  await soon(() => client.outbox.waiting, "it to wait");
  const { key } = rows.entries[0];
  rows.update(key, { text: "b" });
  rows.create({ list: 1, text: "c", place: 2 });
  const gone = rows.create({ list: 1, text: "d", place: 3 });
  rows.delete(rows.entries[2].key);
  const shown = rows.entries.map(({ row, queued: waits }) => `${row.text} ${waits}`);
  const kept = Object.values(localStorage).flatMap((text) => JSON.parse(text)).length;
  client.outbox.wake();
  await gone;
  await soon(() => !client.outbox.letters.length && rows.entries.every(({ pending }) => !pending), "all to be done");
  const sent = writesOf(world).map(({ method, headers }) => `${method} ${headers["X-Mutation-ID"]}`);
  return { shown, kept, sent: sent.map((one) => one.split(" ")[0]), repeated: sent.length - new Set(sent).size, there: texts(rows), left: localStorage.length };
}

/** A second page takes over what the first one has left; not before it has ended. */
export async function inheritance() {
  localStorage.clear();
  const world = new World();
  const letter = { id: "m-1", resource: "rows", scope: "{}", row: null, kind: "create", data: { list: 1, text: "left" }, channels: [], position: null, at: 1, attempts: 0, state: "waiting" };
  localStorage.setItem("tests.dead", JSON.stringify([letter]));
  let end = null;
  const life = new Promise((resolve) => (end = resolve));
  navigator.locks.request("tests.dead", () => life);
  const client = queued(world);
  await client.collection("rows", { params: { list: 1 } }).subscribe();
  const before = world.rows.size;
  end();
  await soon(() => world.rows.size && !client.outbox.letters.length, "it to be sent");
  return { before, after: world.rows.size, left: localStorage.length };
}

export async function precondition() {
  const { world, rows } = await scene();
  await rows.update(1, { text: "x" }, { match: '"tag"' });
  return world.requests.find(({ method }) => method === "PATCH").headers["If-Match"];
}
