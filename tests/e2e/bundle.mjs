/** Bundles an application's module, as its own bundler would: `node bundle.mjs ENTRY... FOLDER`. */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const clients = new URL("../clients/", import.meta.url);
const require = createRequire(clients);
const esbuild = require("esbuild");

/** What Vue's plugins for bundlers do with a single-file component without styles. */
const vue = {
  name: "vue",
  setup({ onLoad }) {
    const { compileScript, parse } = require("vue/compiler-sfc");
    onLoad({ filter: /\.vue$/ }, async ({ path }) => {
      const { descriptor, errors } = parse(await readFile(path, "utf8"), { filename: path });
      if (errors.length) return { errors: errors.map(({ message }) => ({ text: message })) };
      return { contents: compileScript(descriptor, { id: path, inlineTemplate: true }).content };
    });
  },
};

const entryPoints = process.argv.slice(2);
const outdir = entryPoints.pop();
await esbuild.build({
  entryPoints,
  outdir,
  bundle: true,
  format: "esm",
  jsx: "automatic",
  entryNames: "[dir]",
  external: ["/static/*"],
  nodePaths: [fileURLToPath(new URL("node_modules", clients))],
  plugins: [vue],
  logLevel: "error",
  define: {
    // React's StrictMode mounts everything twice in development only.
    "process.env.NODE_ENV": '"development"',
    __VUE_OPTIONS_API__: "false",
    __VUE_PROD_DEVTOOLS__: "false",
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false",
  },
});
