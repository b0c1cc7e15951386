// The documentation in Chromium, from a server and from a disk.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { AxeBuilder } from "@axe-core/playwright";
import { expect, test } from "@playwright/test";
import { DIST, ROOT } from "../support/paths";
import { host } from "../support/server";

const DOCS = join(DIST, "docs");

test("a search leads to a rule's page, with the keyboard alone, and asks nothing of a network", async ({ page }) => {
  const { url, close } = await host(DIST);
  for (const start of [`${url}docs/index.html`, pathToFileURL(join(DOCS, "index.html")).href]) {
    const own = new URL("..", start).href;
    const wrong: string[] = [];
    page.on("request", (request) => !request.url().startsWith(own) && !/^data:/.test(request.url()) && wrong.push(request.url()));
    page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
    await page.goto(start);
    await page.keyboard.press("/");
    await page.keyboard.type("default_tablespace");
    await expect(page.locator("#found a").first()).toHaveText(/^TSP-03 /);
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await expect(page.getByRole("heading", { level: 1 })).toHaveText(/^TSP-03 /);
    await page.getByRole("navigation").getByRole("link", { name: "Every rule" }).click();
    await page.getByRole("main").getByRole("link", { name: "OWN-03", exact: true }).first().click();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText(/^OWN-03 /);
    // A page that still loads would be asked of the next round.
    await page.waitForLoadState();
    expect(wrong).toEqual([]);
    page.removeAllListeners();
  }
  await close();
});

test("every rule of the catalogue has a page", () => {
  const rules = readFileSync(join(ROOT, "analyzer/CATALOGUE.md"), "utf8").matchAll(/^## ([A-Z]+-\d+) /gm);
  const pages = readdirSync(join(DOCS, "rules"));
  expect(pages.sort()).toEqual(Array.from(rules, ([, id]) => `${id}.html`).sort());
});

for (const [address, colorScheme, width] of [["index.html", "light", 1280], ["rules/OWN-03.html", "dark", 390], ["compatibility.html", "dark", 1280]] as const) {
  test(`${address} is accessible, ${colorScheme} at ${width}, and no wider than the window`, async ({ page }) => {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    await page.goto(pathToFileURL(join(DOCS, address)).href);
    expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  });
}
