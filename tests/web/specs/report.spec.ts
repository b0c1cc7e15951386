// A report in HTML, as the command line writes it: the same view, from a disk, with nothing from elsewhere.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, test } from "../support/checker";
import type { Settings } from "../support/module";
import { nativeCheck, withFiles } from "../support/native";

const RISK = `SELECT pg_catalog.set_config('search_path', '', false);
CREATE SCHEMA app;
CREATE FUNCTION app.more(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN twice($1); END $$;
CREATE TABLE app.item (id integer);
COPY app.item (id) FROM stdin;
1
\\.
CREATE INDEX item_more ON app.item USING btree (app.more(id));
`;

const DUMP = `CREATE EXTENSION dblink;
CREATE TABLE public.t (a integer) TABLESPACE fast;
CREATE VIEW public.v AS SELECT * FROM dblink('dbname=x', 'SELECT 1') AS r(a integer);
CREATE VIEW public.w AS SELECT * FROM public.v;
ALTER TABLE public.t OWNER TO rnacen;
`;

/** Opens the report of a dump; nothing may leave it, and nothing in it may fail. */
async function opened(page: Page, text: string, settings: Settings, act: (address: string) => Promise<void>): Promise<void> {
  const left: string[] = [];
  page.on("request", (request) => {
    if (!/^(file|data|blob):/.test(request.url())) left.push(request.url());
  });
  page.on("pageerror", (error) => left.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") left.push(message.text());
  });
  const inputs = [{ name: "dump.sql", bytes: Buffer.from(text) }];
  await withFiles(inputs, async (folder) => {
    const { reports } = await nativeCheck(folder, inputs, settings, ["html"]);
    // By its name the browser knows what it is.
    const path = join(folder, "report.html");
    writeFileSync(path, reports.get("html") ?? "");
    const address = pathToFileURL(path).href;
    await page.goto(address);
    await act(address);
  });
  expect(left, "requests and errors").toEqual([]);
}

test("decisions come first, and a finding is opened from them", async ({ page }) => {
  await opened(page, DUMP, {}, async () => {
    const decisions = page.getByRole("list", { name: "To decide" }).locator(":scope > li");
    await expect(decisions).toHaveCount(2);
    await expect(decisions.filter({ hasText: "rnacen" })).toContainText("Add your roles dump");
    await decisions.filter({ hasText: "dblink" }).getByRole("button", { name: /^Show me/ }).click();
    await expect(page.locator(".finding.open")).toContainText("dblink");
    // Nothing can be chosen in what is written.
    await expect(page.getByRole("checkbox")).toHaveCount(0);
  });
});

test("a risk is said to be kept, before and after it is accepted", async ({ page }) => {
  await opened(page, RISK, {}, async () => {
    await page.getByRole("button", { name: /^Show me/ }).click();
    await expect(page.locator(".finding.open")).toContainText("Accept FN-04 to keep the statement, and take the risk that it fails");
    await expect(page.locator("body")).not.toContainText(/leave the statement out/i);
  });
  await opened(page, RISK, { accept: ["FN-04"] }, async (address) => {
    await page.goto(`${address}#FN-04`);
    await page.reload();
    await expect(page.locator(".finding.open")).toContainText("the risk that the statement fails is accepted, and it is kept");
  });
});

for (const scheme of ["light", "dark"] as const) {
  test(`axe finds nothing in the ${scheme}, on a phone nothing is wider than it`, async ({ page }) => {
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width: 390, height: 844 });
    await opened(page, DUMP, {}, async () => {
      await page.getByRole("button", { name: /^Show me/ }).first().click();
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join("; ")}`)).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    });
  });
}

test("on paper every finding stands in full, and afterwards it is as before", async ({ page }) => {
  await opened(page, DUMP, {}, async () => {
    await expect(page.locator(".finding .detail")).toHaveCount(0);
    await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
    const all = await page.locator(".finding").count();
    expect(all).toBeGreaterThan(4);
    await expect(page.locator(".finding .detail")).toHaveCount(all);
    await page.evaluate(() => dispatchEvent(new Event("afterprint")));
    await expect(page.locator(".finding .detail")).toHaveCount(0);
  });
});

test("a link to a rule that does not exist, or to nothing that can be read, is no hindrance", async ({ page }) => {
  await opened(page, DUMP, {}, async (address) => {
    for (const fragment of ["#XYZ-99", "#%", "#%E0%A4%A", "#constructor"]) {
      await page.goto(address + fragment);
      await page.reload();
      await expect(page.getByRole("list", { name: "To decide" }).locator(":scope > li")).toHaveCount(2);
    }
  });
});
