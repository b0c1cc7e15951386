// The page in two forms: a folder for any static host, and one file that works without any.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

/** The single file's name. */
const SINGLE = "tsmigrate-checker.html";

/** What the page cannot do, in a browser's words. There is no connect source, so nothing can be sent anywhere. */
const policy = (script: string): string =>
  [
    "default-src 'none'",
    `script-src ${script} 'wasm-unsafe-eval'`,
    "worker-src blob:",
    // CodeMirror makes its style sheet as it starts. Style alone can send nothing: no image, font or sheet may load.
    "style-src 'self' 'unsafe-inline'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");

const POLICY = '<meta http-equiv="Content-Security-Policy" content="POLICY">';

const withPolicy = (html: string, script: string): string =>
  html.replace("<!--policy-->", POLICY.replace("POLICY", policy(script)));

/** The worker's script and the module, gzipped and in base64: a page without connect sources cannot fetch a file. */
const engine = (): { worker: string; module: string } => ({
  worker: readFileSync("page/.built/worker.js", "utf8"),
  module: readFileSync("module/tsmigrate_web.wasm.gz", "base64"),
});

/** `virtual:engine` is what the page loads after its first paint. */
const engineModule = (): Plugin => ({
  name: "engine",
  resolveId: (id) => (id === "virtual:engine" ? "\0engine" : null),
  load: (id) => {
    if (id !== "\0engine") return null;
    const { worker, module } = engine();
    return `export const worker = ${JSON.stringify(worker)};\nexport const module = ${JSON.stringify(module)};`;
  },
});

/** Puts the policy into the page, and makes the single file of the same parts. */
const forms = (): Plugin => ({
  name: "forms",
  enforce: "post",
  apply: "build",
  generateBundle(_, bundle) {
    const html = bundle["index.html"];
    const entry = Object.values(bundle).find((part) => part.type === "chunk" && part.isEntry);
    const style = Object.values(bundle).find((part) => part.fileName.endsWith(".css"));
    if (html?.type !== "asset" || entry?.type !== "chunk" || style?.type !== "asset") {
      throw new Error("the build made no page, no script or no style");
    }
    const page = String(html.source);
    html.source = withPolicy(page, "'self'");
    const script = entry.code.replaceAll("</script", "<\\/script");
    const { worker, module } = engine();
    const digest = createHash("sha256").update(script).digest("base64");
    const data = (id: string, text: string): string =>
      `<script type="text/plain" id="${id}">${text.replaceAll("</script", "<\\/script")}</script>`;
    const single = withPolicy(page, `'sha256-${digest}'`)
      .replace(/<script type="module"[^>]*><\/script>/, "")
      .replace(/<link rel="modulepreload"[^>]*>/g, "")
      .replace(/<link rel="stylesheet"[^>]*>/, () => `<style>${String(style.source)}</style>`)
      .replace(
        "</body>",
        () => `<script type="module">${script}</script>${data("engine-worker", worker)}${data("engine-module", module)}</body>`,
      );
    this.emitFile({ type: "asset", fileName: SINGLE, source: single });
  },
});

export default defineConfig({
  base: "./",
  publicDir: false,
  plugins: [engineModule(), forms()],
  build: { target: "es2022", modulePreload: false, chunkSizeWarningLimit: 2000 },
});
