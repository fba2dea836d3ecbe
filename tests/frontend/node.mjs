/**
 * Runs the simulation in Node, many at once: `node node.mjs STATIC TRANSPORT FIRST COUNT`. Prints a line of
 * JSON for each run that went wrong, and nothing else.
 */

import { register } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, transport, first, count] = process.argv.slice(2);
const LANES = 10;

// As the site serves them: modules, those of the client below /static/.
const hooks = `
  const statics = ${JSON.stringify(`${pathToFileURL(folder)}/`)};
  export const resolve = (name, context, next) =>
    next(name.startsWith("/static/") ? new URL(name.slice(8), statics).href : name, context);
  export const load = (url, context, next) =>
    next(url, url.endsWith(".js") ? { ...context, format: "module" } : context);
`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

const nothing = () => null;
const place = new URL("http://localhost/");
Object.assign(globalThis, {
  location: place,
  document: { baseURI: place.href, cookie: "", hidden: false, addEventListener: nothing, querySelector: nothing },
  addEventListener: nothing,
  reportError: (error) => tell({ error: String(error.stack) }),
});

function tell(what) {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

const { simulate } = await import("./simulation.js");
const seeds = Array.from({ length: Number(count) }, (_, index) => Number(first) + index);

async function lane() {
  while (seeds.length) {
    const seed = seeds.shift();
    try {
      const { mistakes, used } = await simulate(seed, 250, transport);
      if (mistakes.length || ![used, "both"].includes(transport)) tell({ seed, mistakes, used });
    } catch (error) {
      tell({ seed, error: String(error.stack) });
    }
  }
}

await Promise.all(Array.from({ length: LANES }, lane));
process.exit(0);
