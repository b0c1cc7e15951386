// The first screen: what the page is, for whom, and how to begin.
import { expect, test, type Checker } from "../support/checker";

const HEADLINE = "Will your PostgreSQL dump restore on Timescale?";
const COMMANDS = [
  'pg_dumpall -d "$SOURCE" --roles-only --no-role-passwords > roles.sql\npg_dump -d "$SOURCE" --schema-only > schema.sql',
  "pg_dump -d \"$SOURCE\" --exclude-table-data='_timescaledb_internal._*' > dump.sql",
];

const commands = (checker: Checker) => checker.page.locator(".make pre");

test("the first screen says what the page is, for whom, and that nothing leaves it, and has one primary action", async ({ checker }) => {
  await checker.page.setViewportSize({ width: 1440, height: 900 });
  await checker.open();
  await checker.phase("empty");
  const { page } = checker;
  await expect(page.locator("main h2").first()).toHaveText(HEADLINE);
  await expect(page.locator(".hero")).toContainText("to a managed Timescale service");
  await expect(page.locator(".hero")).toContainText("Nothing leaves this page.");
  await expect(page.getByRole("button", { name: "Open files …" })).toBeInViewport({ ratio: 1 });
  await expect(checker.editor).toBeInViewport();
  await expect(commands(checker)).toHaveText(COMMANDS);
  for (const command of await commands(checker).all()) await expect(command).toBeInViewport({ ratio: 1 });
  const cards = page.locator(".samples li");
  await expect(cards).toHaveCount(3);
  for (const card of await cards.all()) await expect(card).toBeInViewport({ ratio: 1 });
  await expect(page.locator("main .primary, main .main")).toHaveCount(1);
});

test("each sample opens, and is checked", async ({ checker }) => {
  await checker.open();
  for (const [at, verdict] of ["needs-work", "ready-after-rewrite", "ready-after-rewrite"].entries()) {
    await checker.phase("empty");
    await checker.page.locator(".samples button").nth(at).click();
    await checker.phase("checked");
    if (at < 2) await checker.verdict(verdict);
    while ((await checker.page.locator(".samples").count()) === 0) await checker.input.getByRole("button", { name: /^Close / }).click();
  }
});

test.describe("before any script runs", () => {
  test.use({ javaScriptEnabled: false });
  test("the page says the same, and what it needs @both", async ({ checker }) => {
    await checker.page.goto(checker.address);
    await expect(checker.page.locator("main h2").first()).toHaveText(HEADLINE);
    await expect(checker.page.locator(".hero")).toContainText("Nothing leaves this page.");
    await expect(commands(checker)).toHaveText(COMMANDS);
    expect(await checker.page.content()).toMatch(/<noscript>.*The check needs JavaScript/s);
  });
});

test("on a phone nothing of the first screen is wider than it, and axe finds nothing", async ({ checker }) => {
  await checker.page.setViewportSize({ width: 390, height: 844 });
  await checker.open();
  await checker.phase("empty");
  expect(await checker.page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  await expect(checker.page.getByRole("button", { name: "Open files …" })).toBeInViewport();
  expect(await checker.axe()).toEqual([]);
});
