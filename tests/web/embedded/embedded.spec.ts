// The package in Chromium: in plain pages of a server and of a disk, in bundled applications, and as an element of a
// foreign page.
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, type Page } from "@playwright/test";
import { nodeResolve } from "@rollup/plugin-node-resolve";
import { rollup } from "rollup";
import webpack from "webpack";
import { examples, test as base, type Project } from "../support/packed";
import { host } from "../support/server";

/** Fails where a page wrote an error, or asked for anything beyond its own folder. */
const test = base.extend<{ quiet: void }>({
  quiet: [
    async ({ page }, use) => {
      const wrong: string[] = [];
      // The icon that a browser asks every server for.
      const isIcon = (url: string): boolean => url.endsWith("/favicon.ico");
      page.on("console", (message) => message.type() === "error" && !isIcon(message.location().url) && wrong.push(message.text()));
      page.on("pageerror", (error) => wrong.push(String(error)));
      page.on("request", (request) => !/^(http:\/\/127\.0\.0\.1:|file:|blob:|data:)/.test(request.url()) && wrong.push(request.url()));
      await use();
      expect(wrong).toEqual([]);
    },
    { auto: true },
  ],
});

const TABLESPACE = "CREATE TABLE public.t (a int) TABLESPACE fast;\n";

/** Puts a page and the package's script into a folder. */
function plain(project: Project, name: string, html: string): string {
  const folder = join(project.folder, `plain-${name}`);
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(project.installed, "dist/tsmigrate-analyzer.js"), join(folder, "tsmigrate-analyzer.js"));
  project.write(join(`plain-${name}`, "index.html"), html);
  return folder;
}

/** Opens a page as a server sends it, and as it is on a disk. */
async function both(page: Page, folder: string, look: () => Promise<void>): Promise<void> {
  const { url, close } = await host(folder);
  await page.goto(url);
  await look();
  await close();
  await page.goto(pathToFileURL(join(folder, "index.html")).href);
  await look();
}

test("the README's plain page works from a server and from a disk", async ({ page, project }) => {
  const folder = plain(project, "page", examples().get("page.html") ?? "");
  await both(page, folder, () => expect(page.locator("#out")).toHaveText("ready-after-rewrite\nCREATE TABLE public.t (a int);\n"));
});

test("an element in a page with a strict policy begins with the text between its tags", async ({ page, project }) => {
  const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src blob:";
  const folder = plain(project, "policy", `<!doctype html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}">
<title>Policy</title><script src="tsmigrate-analyzer.js"></script><tsmigrate-checker>${TABLESPACE}</tsmigrate-checker>`);
  const { url, close } = await host(folder);
  await page.goto(`${url}index.html`);
  await expect(page.locator("tsmigrate-checker .cm-line").first()).toHaveText(/^CREATE TABLE public\.t \(a int\) TABLESPACE fast;/);
  await expect(page.locator("[part=verdict]")).toContainText("✓ Ready after a rewrite");
  await close();
});

test("the example for Vite is built, checks a file in a worker, and says what is wrong with another", async ({ page, project }) => {
  project.copy("vite");
  project.link("vite");
  const { code, output } = project.tool("vite", "build", "--base=./", "--logLevel=error");
  expect(output).toBe("");
  expect(code).toBe(0);
  const { url, close } = await host(join(project.folder, "dist"));
  await page.goto(url);
  const open = (name: string, text: string): Promise<void> => page.locator("#file").setInputFiles({ name, mimeType: "application/sql", buffer: Buffer.from(text) });
  await open("schema.sql", TABLESPACE);
  await expect(page.locator("#out")).toHaveText(/^ready-after-rewrite\nschema\.sql:1 TSP-04 /);
  await open("dump.pgc", "PGDMP\u0001");
  await expect(page.locator("#out")).toHaveText(/custom format/);
  await close();
});

const APP = `import { load } from "tsmigrate-analyzer";
load().then((analyzer) => { document.body.textContent = analyzer.check([{ name: "a.sql", text: ${JSON.stringify(TABLESPACE)} }]).verdict; });\n`;

/** Opens what a bundler has made of an application. */
async function works(page: Page, project: Project, folder: string, script: string): Promise<void> {
  project.write(join(folder, "index.html"), `<!doctype html><link rel="icon" href="data:,"><body>${script}`);
  const { url, close } = await host(join(project.folder, folder));
  await page.goto(url);
  await expect(page.locator("body")).toHaveText("ready-after-rewrite");
  await close();
}

test("esbuild needs to know nothing of it", async ({ page, project }) => {
  project.write("app.mjs", APP);
  for (const words of [["--format=iife"], ["--format=esm", "--splitting"]]) {
    expect(project.tool("esbuild", "app.mjs", "--bundle", ...words, "--outdir=plain-esbuild", "--log-level=error")).toEqual({ code: 0, output: "" });
    const script = words.length > 1 ? '<script type="module" src="app.js"></script>' : '<script src="app.js"></script>';
    await works(page, project, "plain-esbuild", script);
  }
});

test("webpack needs to know nothing of it", async ({ page, project }) => {
  const entry = project.write("app-webpack.mjs", APP);
  const made = await new Promise<string>((resolve, reject) => {
    webpack({ mode: "production", context: project.folder, entry, output: { path: join(project.folder, "plain-webpack"), filename: "app.js" }, performance: false }, (error, stats) =>
      error ? reject(error) : resolve(stats?.toString({ all: false, errors: true, warnings: true }) ?? "nothing"),
    );
  });
  expect(made).toBe("");
  await works(page, project, "plain-webpack", '<script src="app.js"></script>');
});

test("Rollup needs to know nothing of it but where packages are", async ({ page, project }) => {
  const bundle = await rollup({ input: project.write("app-rollup.mjs", APP), plugins: [nodeResolve({ browser: true })], onwarn: (warning) => expect(warning.message).toBe("") });
  await bundle.write({ dir: join(project.folder, "plain-rollup"), entryFileNames: "app.js" });
  await bundle.close();
  await works(page, project, "plain-rollup", '<script type="module" src="app.js"></script>');
});

test("the element shows what there is to decide, tells it to its page, and keeps to its attributes", async ({ page, project }) => {
  const foreign = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Docs of somebody else</title><link rel="icon" href="data:,">
<style>* { color: red !important; font-size: 40px !important } body { text-transform: uppercase; text-align: center; letter-spacing: 3px; white-space: pre; direction: rtl } tsmigrate-checker::part(badge) { text-transform: lowercase }</style>
${examples().get("widget.html")}
<script>
  window.told = [];
  for (const name of ["tsmigrate-result", "tsmigrate-error"]) addEventListener(name, (event) => told.push([name, event.detail.verdict ?? event.detail.error.name]));
</script>`;
  await both(page, plain(project, "widget", foreign), async () => {
    const told = (): Promise<unknown> => page.evaluate("told.at(-1)");
    const checker = page.locator("tsmigrate-checker");
    await checker.getByRole("textbox", { name: "Text of dump.sql" }).fill(`${TABLESPACE}ALTER TABLE public.t OWNER TO shop;\n`);
    const verdict = checker.locator("[part=verdict]");
    await expect(verdict).toContainText("✗ Needs 1 decision");
    await expect(verdict).toContainText("1 error remains");
    // The view and the editor of the checker: what is to be decided, findings in their groups, marks in the text.
    await expect(verdict.getByRole("list", { name: "To decide" })).toContainText("shop");
    await expect(checker.locator("[part=group]")).toContainText([/OWN-01/, /TSP-04/]);
    await expect(checker.locator(".cm-hint")).toHaveCount(2);
    expect(await told()).toEqual(["tsmigrate-result", "needs-work"]);
    await expect(checker.locator("[part=badge]").first()).toHaveCSS("text-transform", "lowercase");
    await expect(verdict.locator(".sign")).toHaveCSS("color", "rgb(179, 38, 30)");
    // What a page's own elements inherit, this one does not.
    const inherited = { "text-transform": "none", "text-align": "start", "letter-spacing": "normal", "white-space": "normal", direction: "ltr" };
    for (const [name, value] of Object.entries(inherited)) await expect(verdict).toHaveCSS(name, value);
    expect(await verdict.evaluate((element) => parseFloat(getComputedStyle(element).fontSize))).toBeLessThan(30);
    await checker.getByRole("button", { name: /line 2/ }).first().click();
    await expect(checker.locator(".cm-activeLine")).toHaveText(/^ALTER TABLE public\.t OWNER TO shop;/);
    await expect(checker.locator("[part=detail]")).toContainText("shop");
    await checker.evaluate((element) => element.setAttribute("theme", "dark"));
    await expect(verdict.locator(".sign")).toHaveCSS("color", "rgb(255, 143, 133)");
    await checker.evaluate((element) => element.setAttribute("target", "12"));
    await expect(checker.locator("[part=error]")).toHaveText(/PostgreSQL 15 to 18/);
    expect(await told()).toEqual(["tsmigrate-error", "OptionsError"]);
    await checker.evaluate((element) => element.setAttribute("target", "18"));
    await expect(verdict).toContainText("✗ Needs 1 decision");
    await checker.evaluate((element) => Object.assign(element, { value: "" }));
    await expect(checker.locator("[part=group]")).toHaveCount(0);
    await expect(verdict).toBeEmpty();
  });
});
