// Makes what is committed of the result view: `node web/view/build.mjs`. It needs web/node_modules, and cargo none of it.
//
//   web/view/schema.d.ts                types of the report, from analyzer/report.schema.json
//   analyzer/src/report/view/view.js    the view for reports in HTML, and view.css; with their digests for a browser
//   runner/src/report/page.css          what a migration's report has besides
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";
import { compile } from "json-schema-to-typescript";

const VIEW = dirname(fileURLToPath(import.meta.url));
const ROOT = join(VIEW, "../..");

/** Where the result goes: the test of it gives another folder. */
const [into = ROOT] = process.argv.slice(2);

function write(path, text) {
  const file = join(into, path);
  mkdirSync(dirname(file), { recursive: true });
  // What is the same stays as old as it is: cargo compiles by it.
  if (!existsSync(file) || readFileSync(file, "utf8") !== text) writeFileSync(file, text);
}

/** TypeScript's types of the report, from its schema. */
async function types() {
  const schema = JSON.parse(readFileSync(join(ROOT, "analyzer/report.schema.json"), "utf8"));
  // The types are called what the schema calls them: a title would be another name.
  delete schema.title;
  // With a description beside it, a reference would become a type of its own: Span3.
  const plain = JSON.parse(JSON.stringify(schema), (_, value) => (value?.$ref ? { $ref: value.$ref } : value));
  return compile(plain, "Report", {
    additionalProperties: false,
    bannerComment: "// Made from analyzer/report.schema.json.",
    unreachableDefinitions: false,
    style: { printWidth: 140 },
  });
}

/** Browsers that know no light-dark() get both colours by their media: a report may be opened anywhere. */
function forAll(css) {
  const dark = [];
  const light = css.replace(/(--[\w-]+): light-dark\(([^,]+), ([^)]+)\);/g, (_, name, ofLight, ofDark) => {
    dark.push(`${name}: ${ofDark};`);
    return `${name}: ${ofLight};`;
  });
  if (/light-dark\(/.test(light)) throw new Error("a colour with light-dark() that is no variable of its own");
  return `${light}\n@media screen and (prefers-color-scheme: dark) { :root { ${dark.join(" ")} } }\n`;
}

async function style(...names) {
  const css = forAll(names.map((name) => readFileSync(join(VIEW, "style", name), "utf8")).join("\n"));
  return (await transform(css, { loader: "css", minify: true, target: "es2022" })).code;
}

async function script() {
  const { outputFiles } = await build({
    entryPoints: [join(VIEW, "report.ts")],
    bundle: true,
    write: false,
    format: "iife",
    target: "es2022",
    minify: true,
    charset: "utf8",
    legalComments: "none",
  });
  return outputFiles[0].text;
}

write("web/view/schema.d.ts", await types());
for (const [name, text] of [
  ["analyzer/src/report/view/view.js", await script()],
  ["analyzer/src/report/view/view.css", await style("tokens.css", "controls.css", "verdict.css", "findings.css", "report.css")],
  ["runner/src/report/page.css", await style("migration.css")],
]) {
  // Nothing in it ends the element that it stands in.
  if (/<\/|<!--/.test(text)) throw new Error(`${name} holds what ends its element`);
  write(name, text);
  write(`${name}.sha256`, `sha256-${createHash("sha256").update(text).digest("base64")}`);
}
