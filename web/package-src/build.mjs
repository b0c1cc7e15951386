// Makes the package, in web/package: `node web/package-src/build.mjs VERSION`. It needs web/module and web/node_modules.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";
import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";

const SOURCE = dirname(fileURLToPath(import.meta.url));
const WEB = dirname(SOURCE);
const OUT = join(WEB, "package");
const DIST = join(OUT, "dist");
const [version] = process.argv.slice(2);
if (!version) throw new Error("usage: build.mjs VERSION");

/** Browsers of 2023, and Node 18. */
const TARGET = ["es2022"];

/** wasm-bindgen's glue keeps its one instance in the script: here each call makes another. */
async function glue(minify) {
  const { outputFiles } = await build({
    entryPoints: [join(WEB, "module/tsmigrate_web.js")],
    bundle: true,
    write: false,
    format: "iife",
    globalName: "glue",
    target: TARGET,
    minify,
  });
  return `export function bindings() {\n${outputFiles[0].text}\nreturn glue;\n}`;
}

/** What the element has besides the view and the editor. */
const ELEMENT = `
:host { display: block }
:host([hidden]) { display: none }
* { box-sizing: border-box }
.all { box-sizing: border-box; font: 15px/1.5 system-ui, sans-serif; padding: 12px; border: 1px solid var(--line); border-radius: var(--radius); background: var(--page); color: var(--text); color-scheme: light }
.all.dark { color-scheme: dark }
.input { height: 16em; min-height: 6em; margin-bottom: 12px; border: 1px solid var(--line); border-radius: 6px; overflow: auto; resize: vertical }
.error { margin: 0; color: var(--error) }
.visually-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
.list { margin-top: 12px }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
`;

/** The style of the element. Its page says which of both schemes it has: each colour of two becomes a variable. */
async function style() {
  const files = ["view/style/tokens.css", "view/style/controls.css", "view/style/verdict.css", "view/style/findings.css", "page/editor/editor.css", "page/editor/marks.css"];
  const light = [];
  const dark = [];
  const css = files
    .map((file) => readFileSync(join(WEB, file), "utf8"))
    .join("\n")
    .replace(/light-dark\(([^,()]+), ([^()]+)\)/g, (_, ofLight, ofDark) => {
      const name = `--colour-${light.length}`;
      light.push(`${name}: ${ofLight};`);
      dark.push(`${name}: ${ofDark};`);
      return `var(${name})`;
    })
    .replaceAll(":root", ".all");
  if (/light-dark\(/.test(css)) throw new Error("a colour with light-dark() that is not understood");
  // A page's own styles are inherited into an element: none of them is meant for this one.
  const whole = `.all { all: initial; direction: ltr; display: block }\n.all { ${light.join(" ")} }\n.all.dark { ${dark.join(" ")} }\n${css}${ELEMENT}`;
  return (await transform(whole, { loader: "css", minify: true, target: "es2022" })).code;
}

const virtual = (texts) => ({
  name: "virtual",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^virtual:/ }, ({ path }) => ({ path, namespace: "virtual" }));
    onLoad({ filter: /.*/, namespace: "virtual" }, ({ path }) => ({ contents: texts[path], loader: "js" }));
  },
});

const banner = { js: `/* tsmigrate-analyzer ${version}, Apache License 2.0 */` };

async function scripts() {
  const texts = { "virtual:glue": await glue(true) };
  const common = { bundle: true, target: TARGET, minify: true, keepNames: true, banner, legalComments: "none", plugins: [virtual(texts)] };
  const entry = (name) => join(SOURCE, "src", name);
  const worker = async (name, platform, format) => {
    const { outputFiles } = await build({ ...common, entryPoints: [entry(name)], write: false, platform, format });
    return `export const worker = ${JSON.stringify(outputFiles[0].text)};`;
  };
  texts["virtual:style"] = `export const style = ${JSON.stringify(await style())};`;
  texts["virtual:worker"] = await worker("worker-browser.ts", "browser", "iife");
  const ofNode = { ...texts, "virtual:glue": await glue(false), "virtual:worker": await worker("worker-node.ts", "node", "cjs") };
  const inlined = readFileSync(join(WEB, "module/tsmigrate_web.wasm.gz"), "base64");
  texts["virtual:inlined"] = 'export const importInlined = () => import("./inlined.mjs");';

  // Node prints the line of an error: it has to be one that can be read.
  const readable = { ...common, minify: false, plugins: [virtual(ofNode)] };
  for (const [format, extension] of [["esm", "mjs"], ["cjs", "cjs"]]) {
    // A bundler may make something of import.meta that is no address: that is found when it is asked for.
    const here =
      format === "esm"
        ? 'import { fileURLToPath as pathOf } from "node:url";\nconst here = () => pathOf(new URL(".", import.meta.url));'
        : "const here = () => __dirname;";
    await build({
      ...readable,
      entryPoints: [entry("node.ts")],
      outfile: join(DIST, `node.${extension}`),
      format,
      platform: "node",
      banner: { js: `${banner.js}\n${here}` },
    });
    await build({
      ...common,
      entryPoints: [entry("browser.ts")],
      outfile: join(DIST, `browser.${extension}`),
      format,
      platform: "browser",
      // Bundlers and browsers find it beside this file.
      external: ["./inlined.mjs"],
    });
  }
  await build({
    ...common,
    entryPoints: [entry("widget.ts")],
    outfile: join(DIST, "widget.mjs"),
    format: "esm",
    platform: "browser",
    external: ["./inlined.mjs"],
  });
  writeFileSync(join(DIST, "inlined.mjs"), `${banner.js}\nexport const inlined = ${JSON.stringify(inlined)};\n`);
  texts["virtual:inlined"] = `export const importInlined = async () => ({ inlined: ${JSON.stringify(inlined)} });`;
  await build({
    ...common,
    entryPoints: [entry("script.ts")],
    outfile: join(DIST, "tsmigrate-analyzer.js"),
    format: "iife",
    globalName: "tsmigrate",
    platform: "browser",
  });
}

/** One file of types for both kinds of module. */
async function types() {
  const plugins = [dts({ tsconfig: join(SOURCE, "tsconfig.json") })];
  for (const [entry, names] of [["node.ts", ["index.d.ts", "index.d.cts"]], ["widget.ts", ["widget.d.ts"]]]) {
    const bundle = await rollup({ input: join(SOURCE, "src", entry), plugins, external: [/^node:/, /^virtual:/] });
    const { output } = await bundle.generate({ format: "es" });
    await bundle.close();
    for (const name of names) writeFileSync(join(DIST, name), output[0].code);
  }
}

rmSync(OUT, { recursive: true, force: true });
mkdirSync(DIST, { recursive: true });
await Promise.all([scripts(), types()]);
copyFileSync(join(WEB, "module/tsmigrate_web.wasm"), join(DIST, "tsmigrate.wasm"));
copyFileSync(join(WEB, "../analyzer/report.schema.json"), join(DIST, "report.schema.json"));
copyFileSync(join(WEB, "../LICENSE"), join(OUT, "LICENSE"));
copyFileSync(join(SOURCE, "README.md"), join(OUT, "README.md"));
const about = JSON.parse(readFileSync(join(SOURCE, "package.json"), "utf8"));
writeFileSync(join(OUT, "package.json"), `${JSON.stringify({ ...about, version }, null, 2)}\n`);
