// Makes the documentation, in web/dist/docs, from the pages of the repository: `node web/site-src/build.mjs`. It ends with an
// error where a link inside leads nowhere. The result works from any folder of a server, and from a disk.
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { Marked } from "marked";

const SOURCE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(SOURCE, "../..");
const OUT = join(ROOT, "web/dist/docs");
const CATALOGUE = "analyzer/CATALOGUE.md";

/** The parts of the site with their pages: where each is in the repository, its address, and its name in the margin. */
const PARTS = [
  ["Start", [["README.md", "index.html", "What it does"]]],
  ["Check and rewrite", [
    ["analyzer/CHECK.md", "check.html", "Check a dump, configuration"],
    ["analyzer/REWRITE.md", "rewrite.html", "Rewrite a dump"],
    [CATALOGUE, "rules.html", "Every rule"],
    ["formats", "formats.html", "The report as JSON"],
  ]],
  ["Migrate", [
    ["runner/MIGRATE.md", "migrate.html", "Step by step"],
    ["runner/TRUST.md", "trust.html", "Whom it trusts"],
  ]],
  ["Embed", [
    ["web/package-src/README.md", "package.html", "The package for npm"],
    [".github/actions/check/README.md", "action.html", "GitHub, GitLab, pre-commit"],
    ["web/README.md", "browser.html", "The browser checker"],
  ]],
  ["The project", [
    ["tests/README.md", "tests.html", "How it is tested"],
    ["web/site-src/compatibility.md", "compatibility.html", "Versions"],
    [".github/CHANGELOG.md", "changes.html", "Changes and promises"],
    [".github/CONTRIBUTING.md", "contributing.html", "How to change it"],
    ["analyzer/README.md", "analyzer.html", "Inside the analyzer"],
    ["runner/README.md", "runner.html", "Inside the runner"],
    ["web/sysroot/README.md", "sysroot.html", "Inside the module"],
  ]],
];

const text = (path) => readFileSync(join(ROOT, path), "utf8");
const escape = (words) => words.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
const plain = (html) => html.replace(/<[^>]*>/g, "").replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code)).replace(/&quot;/g, '"').replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
/** A heading's anchor, as GitHub makes it. */
const anchor = (heading) => plain(heading).toLowerCase().replace(/[^\p{L}\p{N}\- _]/gu, "").trim().replaceAll(" ", "-");

/** A page of the catalogue for each rule, and one with its tables. */
function rules() {
  const [tables, ...sections] = text(CATALOGUE).split(/^(?=## [A-Z]+-\d+ )/m);
  const pages = sections.map((section) => {
    const [, id, name] = /^## ([A-Z]+-\d+) (\S+)/.exec(section);
    return { source: CATALOGUE, address: `rules/${id}.html`, name: `${id} ${name}`, markdown: section.replace(/^## /, "# ").replace(/^###/gm, "##"), anchor: anchor(`${id} ${name}`) };
  });
  return { tables, pages };
}

/** The fields of the report, from its schema. */
function formats() {
  const schema = JSON.parse(text("analyzer/report.schema.json"));
  const type = (value) => {
    if (value.$ref) return `[${basename(value.$ref)}](#${basename(value.$ref).toLowerCase()})`;
    if (value.anyOf) return value.anyOf.map(type).join(" or ");
    if (value.type === "array") return `list of ${type(value.items)}`;
    if (value.additionalProperties) return `names with ${type(value.additionalProperties)}`;
    return "const" in value ? `\`${JSON.stringify(value.const)}\`` : [value.type ?? "object"].flat().join(" or ");
  };
  const fields = ({ properties = {}, required = [] }) => [
    "| field | form | what |",
    "|---|---|---|",
    ...Object.entries(properties).map(([name, value]) => `| \`${name}\`${required.includes(name) ? "" : " (may be missing)"} | ${type(value)} | ${value.description ?? ""} |`),
    "",
  ];
  const words = ({ description = "", properties, oneOf = [], ...rest }) => [
    description,
    "",
    ...(properties ? fields({ properties, ...rest }) : []),
    ...oneOf.flatMap((one) => (one.properties ? [one.description ?? "", "", ...fields(one)] : [`- \`${JSON.stringify(one.const)}\`: ${one.description ?? ""}`])),
    "",
  ];
  return [
    "# The report as JSON",
    "",
    "`tsmigrate check --format json`, and `report` of the package for npm. [What is promised](../../.github/CHANGELOG.md#what-is-promised)",
    "of it. [The schema](../../analyzer/report.schema.json) itself, which `tsmigrate schema` prints. The other forms are SARIF 2.1.0,",
    "annotations of GitHub, Markdown, HTML and text.",
    "",
    ...words({ ...schema, oneOf: [] }),
    ...Object.entries(schema.$defs).flatMap(([name, value]) => [`## ${name}`, "", ...words(value)]),
  ].join("\n");
}

const { tables, pages: ofRules } = rules();
const pages = PARTS.flatMap(([, pages]) => pages)
  .map(([source, address, name]) => ({ source: source === "formats" ? "web/site-src/formats" : source, address, name, markdown: source === "formats" ? formats() : source === CATALOGUE ? tables : text(source) }))
  .concat(ofRules);
/** The address of a file of the repository, and of a rule's section in the catalogue. */
const addresses = new Map(pages.filter(({ anchor }) => !anchor).map(({ source, address }) => [source, address]));
const ofAnchor = new Map(ofRules.map(({ anchor, address }) => [anchor, address]));
/** Files that pages lead to, and that are no pages. */
const files = new Set();
const search = [];

/** Where a link of a page leads, from that page. */
function lead(page, href) {
  if (/^[a-z]+:/i.test(href)) return href;
  const [path, hash = ""] = href.split("#");
  const target = path === "" ? page.source : posix.normalize(posix.join(posix.dirname(page.source), path));
  let to = target === page.source && !page.anchor ? page.address : addresses.get(target);
  if (target === CATALOGUE && ofAnchor.has(hash)) return posix.relative(posix.dirname(page.address), ofAnchor.get(hash)) || basename(page.address);
  if (to === undefined) {
    if (!existsSync(join(ROOT, target))) throw new Error(`${page.source}: the link ${href} leads nowhere`);
    files.add(target);
    to = `files/${target.replaceAll("/", "-").replace(/^\./, "")}`;
  }
  const relative = posix.relative(posix.dirname(page.address), to);
  return hash ? `${relative}#${hash}` : relative;
}

function rendered(page) {
  const seen = new Map();
  const renderer = {
    heading({ tokens, depth }) {
      const html = this.parser.parseInline(tokens);
      const base = anchor(html);
      const times = seen.get(base) ?? 0;
      seen.set(base, times + 1);
      const id = times === 0 ? base : `${base}-${times}`;
      return `<h${depth} id="${escape(id)}">${html}</h${depth}>\n`;
    },
    link({ href, tokens }) {
      return `<a href="${escape(lead(page, href))}">${this.parser.parseInline(tokens)}</a>`;
    },
    image({ href, text }) {
      return `<img src="${escape(lead(page, href))}" alt="${escape(text)}" loading="lazy">`;
    },
    // Comments are for tests; other HTML does not come into a page.
    html: ({ text }) => (text.trim().startsWith("<!--") ? "" : escape(text)),
  };
  // What is wider than the page scrolls by itself, with the keyboard too. A heading without words is none.
  return new Marked({ renderer })
    .parse(page.markdown)
    .replaceAll("<table>", '<div class="table" tabindex="0"><table>')
    .replaceAll("</table>", "</table></div>")
    .replaceAll("<pre>", '<pre tabindex="0">')
    .replaceAll("<th></th>", "<td></td>");
}

/** A page's sections, for the search. */
function remember({ address, name }, html) {
  for (const section of html.split(/(?=<h[1-3] id=)/)) {
    const [, id, heading] = /^<h[1-3] id="([^"]*)">(.*?)<\/h/.exec(section) ?? [];
    if (!id) continue;
    const isFirst = section.startsWith("<h1");
    const title = isFirst ? plain(heading) : `${name}: ${plain(heading)}`;
    search.push([isFirst ? address : `${address}#${id}`, title, plain(section).replace(/\s+/g, " ").slice(0, 2000)]);
  }
}

function margin(page) {
  const up = posix.relative(posix.dirname(page.address), ".") || ".";
  const item = ([, address, name]) => {
    const isHere = address === page.address || (page.anchor && address === "rules.html");
    return `<li><a href="${up}/${address}"${isHere ? ' aria-current="page"' : ""}>${escape(name)}</a></li>`;
  };
  return PARTS.map(([title, pages]) => `<h2>${escape(title)}</h2><ul>${pages.map(item).join("")}</ul>`).join("");
}

function whole(page, html) {
  const up = posix.relative(posix.dirname(page.address), ".") || ".";
  const policy = "default-src 'none'; script-src 'self' file:; style-src 'self' file:; img-src 'self' file: data:; base-uri 'none'; form-action 'none'";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escape(page.name)} - tsmigrate</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${up}/site.css">
</head>
<body data-up="${up}">
<a class="skip" href="#main">To the text</a>
<header><a class="home" href="${up}/index.html">tsmigrate</a>
<div role="search"><input type="search" id="search" aria-label="Search the documentation" placeholder="Search: TSP-03, owner, resume" autocomplete="off"><ul id="found" aria-label="Found" hidden></ul></div>
<a href="${up}/../index.html">Check a dump</a></header>
<div class="columns"><nav aria-label="Pages">${margin(page)}</nav>
<main id="main">${html}</main></div>
<script src="${up}/search-index.js"></script>
<script src="${up}/search.js"></script>
</body>
</html>
`;
}

/** Says which links of the site lead nowhere. */
function broken(written) {
  const ids = new Map([...written].map(([address, html]) => [address, new Set(Array.from(html.matchAll(/ id="([^"]*)"/g), ([, id]) => id))]));
  const wrong = [];
  for (const [address, html] of written) {
    for (const [, href] of html.matchAll(/ (?:href|src)="([^"]*)"/g)) {
      if (/^[a-z]+:/i.test(href)) continue;
      const [path, hash] = href.split("#");
      const to = path === "" ? address : posix.normalize(posix.join(posix.dirname(address), path));
      // The checker, beside the documentation.
      if (to === "../index.html") continue;
      if (!ids.has(to) && !existsSync(join(OUT, to))) wrong.push(`${address}: ${href}: there is no such file`);
      else if (hash && ids.has(to) && !ids.get(to).has(hash)) wrong.push(`${address}: ${href}: there is no such heading`);
    }
  }
  return wrong;
}

rmSync(OUT, { recursive: true, force: true });
mkdirSync(join(OUT, "rules"), { recursive: true });
mkdirSync(join(OUT, "files"), { recursive: true });
const written = new Map();
for (const page of pages) {
  const html = rendered(page);
  remember(page, html);
  written.set(page.address, whole(page, html));
}
for (const [address, html] of written) writeFileSync(join(OUT, address), html);
for (const path of files) copyFileSync(join(ROOT, path), join(OUT, "files", path.replaceAll("/", "-").replace(/^\./, "")));
for (const name of ["site.css", "search.js"]) copyFileSync(join(SOURCE, name), join(OUT, name));
writeFileSync(join(OUT, "search-index.js"), `window.searchIndex = ${JSON.stringify(search)};\n`);
const wrong = broken(written);
if (wrong.length > 0) throw new Error(`links that lead nowhere:\n${wrong.join("\n")}`);
