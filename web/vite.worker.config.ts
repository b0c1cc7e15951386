// The worker alone, as the text of one script: the page makes a worker from it through a blob: URL. A worker from a URL
// would have the content security policy of its own response, which a static host does not send; one from a blob has the
// page's.
import { defineConfig, type Plugin } from "vite";

/** The package's bindings of the module. One instance is enough: a worker ends with its module. */
const glue: Plugin = {
  name: "glue",
  resolveId: (id) => (id === "virtual:glue" ? "\0glue" : null),
  load: (id) => (id === "\0glue" ? 'import * as glue from "/module/tsmigrate_web.js";\nexport const bindings = () => glue;' : null),
};

export default defineConfig({
  publicDir: false,
  plugins: [glue],
  build: {
    outDir: "page/.built",
    emptyOutDir: true,
    target: "es2022",
    lib: { entry: "page/engine/worker.ts", formats: ["iife"], name: "checker", fileName: () => "worker.js" },
  },
});
