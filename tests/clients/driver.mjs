/**
 * Runs Pusher's clients as they are. One line of JSON in, `{id, script, argument}`; one out,
 * `{id, value}` or `{id, error}`. A script is an expression, or a function of the argument.
 */

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import vm from "node:vm";

const require = createRequire(import.meta.url);
const load = async (library) => (await import(library)).default;

Object.assign(globalThis, {
  Pusher: require("pusher-js"),
  Echo: await load("laravel-echo"),
  PusherServer: require("pusher"),
});
require("./watch.js");

async function run({ id, script, argument }) {
  try {
    const value = vm.runInThisContext(`(${script})`);
    return { id, value: await (typeof value === "function" ? value(argument) : value) };
  } catch (error) {
    return { id, error: String(error?.stack ?? error) };
  }
}

const tell = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
createInterface({ input: process.stdin }).on("line", async (line) => tell(await run(JSON.parse(line))));
tell({ id: 0, value: process.version });
