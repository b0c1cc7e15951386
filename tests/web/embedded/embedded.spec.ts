// The package in Chromium: in plain pages of a server and of a disk, in bundled applications, and as an element of a
// foreign page.
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, type Page } from "@playwright/test";
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
  await expect(page.locator("textarea")).toHaveValue(TABLESPACE);
  await expect(page.locator("[part=verdict]")).toHaveText(/✓ Ready after a rewrite: /);
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

test("esbuild needs to know nothing of it", async ({ page, project }) => {
  project.write("app.mjs", `import { load } from "tsmigrate-analyzer";
load().then((analyzer) => { document.body.textContent = analyzer.check([{ name: "a.sql", text: ${JSON.stringify(TABLESPACE)} }]).verdict; });\n`);
  for (const words of [["--format=iife"], ["--format=esm", "--splitting"]]) {
    expect(project.tool("esbuild", "app.mjs", "--bundle", ...words, "--outdir=plain-esbuild", "--log-level=error")).toEqual({ code: 0, output: "" });
    const script = words.length > 1 ? '<script type="module" src="app.js"></script>' : '<script src="app.js"></script>';
    project.write("plain-esbuild/index.html", `<!doctype html><link rel="icon" href="data:,"><body>${script}`);
    const { url, close } = await host(join(project.folder, "plain-esbuild"));
    await page.goto(url);
    await expect(page.locator("body")).toHaveText("ready-after-rewrite");
    await close();
  }
});

test("the element shows what there is to decide, tells it to its page, and keeps to its attributes", async ({ page, project }) => {
  const foreign = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Docs of somebody else</title><link rel="icon" href="data:,">
<style>* { color: red !important; font-size: 40px } tsmigrate-checker::part(rule) { text-transform: lowercase }</style>
${examples().get("widget.html")}
<script>
  window.told = [];
  for (const name of ["tsmigrate-result", "tsmigrate-error"]) addEventListener(name, (event) => told.push([name, event.detail.verdict ?? event.detail.error.name]));
</script>`;
  await both(page, plain(project, "widget", foreign), async () => {
    const told = (): Promise<unknown> => page.evaluate("told.at(-1)");
    const checker = page.locator("tsmigrate-checker");
    await checker.getByLabel("PostgreSQL dump").fill(`${TABLESPACE}ALTER TABLE public.t OWNER TO shop;\n`);
    await expect(checker.locator("[part=verdict]")).toHaveText(/✗ Needs 1 decision: 1 error remains/);
    await expect(checker.locator("[part=item]")).toHaveText([/OWN-01.*line 2.*shop/, /TSP-04.*line 1.*Fixed by the rewrite/]);
    expect(await told()).toEqual(["tsmigrate-result", "needs-work"]);
    await expect(checker.locator("[part=rule]").first()).toHaveCSS("text-transform", "lowercase");
    await expect(checker.locator("[part=verdict]")).toHaveCSS("color", "rgb(179, 38, 30)");
    await checker.getByRole("button", { name: "line 2" }).click();
    expect(await checker.locator("textarea").evaluate((field: HTMLTextAreaElement) => field.value.slice(field.selectionStart, field.selectionEnd))).toBe("ALTER TABLE public.t OWNER TO shop;");
    await checker.evaluate((element) => element.setAttribute("target", "12"));
    await expect(checker.locator("[part=error]")).toHaveText(/PostgreSQL 15 to 18/);
    expect(await told()).toEqual(["tsmigrate-error", "OptionsError"]);
    await checker.evaluate((element) => element.setAttribute("target", "18"));
    await expect(checker.locator("[part=verdict]")).toHaveText(/✗ Needs 1 decision: 1 error remains/);
    await checker.evaluate((element) => Object.assign(element, { value: "" }));
    await expect(checker.locator("[part=item]")).toHaveCount(0);
  });
});
