/**
 * Pusher's protocol in Node, as Soketi has it: private channels by signature, events by the HTTP API.
 * No log, no presence, no limits: only what is on the way of an event.
 *
 *     node server.mjs PORT KEY SECRET
 */

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const [port, key, secret] = process.argv.slice(2);
const channels = new Map();

const sign = (text) => createHmac("sha256", secret).update(text).digest("hex");
const same = (a, b) => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

function subscribe(socket, { channel, auth = "" }) {
  if (channel.startsWith("private-") && !same(auth, `${key}:${sign(`${socket.id}:${channel}`)}`)) {
    socket.send(JSON.stringify({ event: "pusher:subscription_error", channel, data: { status: 401 } }));
    return;
  }
  if (!channels.has(channel)) channels.set(channel, new Set());
  channels.get(channel).add(socket);
  socket.channels.add(channel);
  socket.send(JSON.stringify({ event: "pusher_internal:subscription_succeeded", channel, data: "{}" }));
}

function publish({ name, channel, data }) {
  const frame = Buffer.from(JSON.stringify({ event: name, channel, data }));
  for (const socket of channels.get(channel) ?? []) socket.send(frame, { binary: false });
}

function accept(socket) {
  socket.id = `${Math.floor(Math.random() * 1e9)}.${Math.floor(Math.random() * 1e9)}`;
  socket.channels = new Set();
  socket.on("message", (text) => {
    const { event, data } = JSON.parse(text);
    if (event === "pusher:ping") socket.send(JSON.stringify({ event: "pusher:pong", data: "{}" }));
    if (event === "pusher:subscribe") subscribe(socket, data);
  });
  socket.on("close", () => {
    for (const channel of socket.channels) channels.get(channel).delete(socket);
  });
  socket.on("error", () => socket.terminate());
  const data = JSON.stringify({ socket_id: socket.id, activity_timeout: 120 });
  socket.send(JSON.stringify({ event: "pusher:connection_established", data }));
}

const server = createServer(async (request, response) => {
  let body = "";
  for await (const part of request) body += part;
  const { path, query } = split(request.url);
  const given = query.get("auth_signature") ?? "";
  query.delete("auth_signature");
  query.sort();
  if (!same(given, sign(`POST\n${path}\n${decodeURIComponent(query.toString())}`))) {
    response.writeHead(401).end();
    return;
  }
  publish(JSON.parse(body));
  response.writeHead(200, { "Content-Type": "application/json" }).end("{}");
});

function split(url) {
  const { pathname, searchParams } = new URL(url, "http://localhost");
  return { path: pathname, query: searchParams };
}

new WebSocketServer({ server, perMessageDeflate: false, maxPayload: 65536 }).on("connection", accept);
server.listen({ port: Number(port), host: "127.0.0.1", backlog: 4096 });
