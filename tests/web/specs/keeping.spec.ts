// Work is never lost in silence: a question before the page goes, and a way back from a closed dump.
import { expect, test } from "../support/checker";

const FAST = "SET default_tablespace = fast;\n";

test("a reload asks before it loses what was typed @both", async ({ checker }) => {
  const { page } = checker;
  const asked: string[] = [];
  page.on("dialog", (dialog) => {
    asked.push(dialog.type());
    void dialog.dismiss();
  });
  await checker.open();
  await checker.type("SELECT 1;");
  await checker.phase("checked");
  await page.evaluate(() => setTimeout(() => location.reload(), 0));
  await expect.poll(() => asked).toEqual(["beforeunload"]);
  await expect(checker.editor).toContainText("SELECT 1;");
});

test("nothing is asked where nothing is lost: a sample, a dump that is remembered", async ({ checker }) => {
  const { page } = checker;
  const asked: string[] = [];
  page.on("dialog", (dialog) => {
    asked.push(dialog.type());
    void dialog.accept();
  });
  await checker.open();
  await checker.openSample();
  await checker.phase("checked");
  await page.reload();
  await checker.phase("empty");
  await checker.type(FAST);
  await checker.phase("checked");
  await checker.input.getByLabel("Remember this on this device").check();
  await page.waitForFunction(async () => (await indexedDB.databases()).length > 0);
  // That it comes back is seen in remember.spec.ts.
  await page.reload();
  expect(asked).toEqual([]);
});

test("a dump that was closed comes back as it was, with what was chosen for it", async ({ checker }) => {
  await checker.open();
  await checker.paste(FAST);
  await checker.verdict("ready-after-rewrite");
  await checker.result.locator(".switch").first().click();
  await checker.verdict("needs-work");
  await checker.input.getByRole("button", { name: "Close dump.sql" }).click();
  await checker.phase("empty");
  await expect(checker.input.locator(".closed")).toContainText("dump.sql was closed.");
  expect(await checker.axe()).toEqual([]);
  await checker.input.getByRole("button", { name: "Undo" }).click();
  await checker.verdict("needs-work");
  await expect(checker.editor).toContainText("default_tablespace");
  await expect(checker.input.locator(".closed")).toBeHidden();
});

test("one of several comes back to its place", async ({ checker }) => {
  await checker.open();
  await checker.drop({ name: "a.sql", bytes: "SELECT 1;\n" }, { name: "b.sql", bytes: FAST }, { name: "c.sql", bytes: "SELECT 3;\n" });
  await checker.phase("checked");
  const tabs = checker.input.getByRole("tab");
  await tabs.nth(1).click();
  await checker.page.keyboard.press("Delete");
  await expect(tabs).toHaveText(["1a.sql", "2c.sql"]);
  await checker.input.getByRole("button", { name: "Undo" }).click();
  await expect(tabs).toHaveText(["1a.sql", "2b.sql", "3c.sql"]);
  await expect(checker.editor).toContainText("default_tablespace");
});

test("the theme is remembered without asking, and nothing else @both", async ({ checker }) => {
  const { page } = checker;
  await page.emulateMedia({ colorScheme: "light" });
  await checker.open();
  await page.getByLabel("Colours").selectOption("dark");
  const dark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.reload();
  await checker.phase("empty");
  await expect(page.getByLabel("Colours")).toHaveValue("dark");
  expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe(dark);
  await page.getByLabel("Colours").selectOption("auto");
  expect(await page.evaluate(() => localStorage.length)).toBe(0);
});
