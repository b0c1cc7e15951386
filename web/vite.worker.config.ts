// The worker alone, as the text of one script: the page makes a worker from it through a blob: URL. A worker from a URL
// would have the content security policy of its own response, which a static host does not send; one from a blob has the
// page's.
import { defineConfig } from "vite";

export default defineConfig({
  publicDir: false,
  build: {
    outDir: "page/.built",
    emptyOutDir: true,
    target: "es2022",
    lib: { entry: "page/engine/worker.ts", formats: ["iife"], name: "checker", fileName: () => "worker.js" },
  },
});
