// What is around the verdict: colours, the promise, keyboard, small screens, print.
import { expect, test } from "../support/checker";

test("the promise can be read and believed", async ({ checker }) => {
  await checker.open();
  await checker.page.getByRole("button", { name: "Nothing leaves this page" }).click();
  const dialog = checker.page.getByRole("dialog", { name: "Nothing leaves this page" });
  await expect(dialog).toContainText("default-src 'none'");
  await expect(dialog).toContainText("Network panel");
  await expect(dialog.locator(".policy li")).not.toHaveCount(0);
  expect(await checker.axe()).toEqual([]);
  await checker.page.keyboard.press("Escape");
  await expect(dialog).toHaveCount(0);
  await expect(checker.page.getByRole("button", { name: "Nothing leaves this page" })).toBeFocused();
});

for (const scheme of ["light", "dark"] as const) {
  test(`colours follow the system, or the person, and axe finds nothing: ${scheme}`, async ({ checker }) => {
    const { page, result } = checker;
    await page.emulateMedia({ colorScheme: scheme });
    await checker.open();
    await checker.openSample();
    await checker.phase("checked");
    const background = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const before = await background();
    await result.getByRole("button", { name: "Open all" }).click();
    await checker.findings.first().locator("button.row").click();
    for (const tab of await result.getByRole("tab").all()) {
      await tab.click();
      // What is no colour is the same in both.
      expect(await checker.axe(scheme === "light" ? undefined : ["color-contrast"])).toEqual([]);
    }
    await page.getByLabel("Colours").selectOption(scheme === "light" ? "dark" : "light");
    await expect.poll(background).not.toBe(before);
  });
}

test("nothing is wider than a phone, in any part", async ({ checker }) => {
  const { page, result } = checker;
  await page.setViewportSize({ width: 390, height: 844 });
  await checker.open();
  await checker.openSample();
  await checker.phase("checked");
  await result.getByRole("button", { name: "Open all" }).click();
  await checker.findings.first().locator("button.row").click();
  for (const tab of await result.getByRole("tab").all()) {
    await tab.click();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  }
  expect(await checker.axe()).toEqual([]);
});

test("the parts of the result are reached with the keyboard", async ({ checker }) => {
  await checker.open();
  await checker.openSample();
  await checker.phase("checked");
  await checker.result.getByRole("tab", { name: "Findings" }).focus();
  await checker.page.keyboard.press("ArrowRight");
  await expect(checker.result.getByRole("tab", { name: "Rewrite" })).toHaveAttribute("aria-selected", "true");
  await expect(checker.result.getByRole("tab", { name: "Rewrite" })).toBeFocused();
  await checker.page.keyboard.press("ArrowLeft");
  await expect(checker.result.getByRole("tabpanel")).toHaveAttribute("id", "panel-findings");
});

test("the outcome is said once, politely, when it changes", async ({ checker }) => {
  await checker.open();
  await checker.paste("SET default_tablespace = fast;\n");
  await checker.verdict("ready-after-rewrite");
  const said = checker.result.locator(".verdict [role=status]");
  await expect(said).toHaveText("Ready after a rewrite: as it is, it restores with 1 error; the rewrite fixes it.");
  await checker.result.locator(".switch").first().click();
  await checker.verdict("needs-work");
  await expect(said).toHaveText("Needs 1 decision: 1 error remains that the rewrite does not fix by itself.");
});

test("nothing moves where less motion is asked for", async ({ checker }) => {
  await checker.page.emulateMedia({ reducedMotion: "reduce" });
  await checker.open();
  await checker.openSample();
  await checker.phase("checked");
  const moving = await checker.page.evaluate(
    () => [...document.querySelectorAll("*")].filter((element) => parseFloat(getComputedStyle(element).transitionDuration) > 0).length,
  );
  expect(moving).toBe(0);
});

test("the result is printed without what only a screen can do", async ({ checker }) => {
  await checker.open();
  await checker.openSample();
  await checker.phase("checked");
  await checker.page.emulateMedia({ media: "print" });
  await expect(checker.result.locator(".verdict")).toBeVisible();
  await expect(checker.result.locator(".tools")).toBeHidden();
  await expect(checker.input).toBeHidden();
});

test("the rewrite is printed whole", async ({ checker }) => {
  await checker.open();
  await checker.paste(Array.from({ length: 150 }, (_, at) => `SET default_tablespace = fast${at};`).join("\n"));
  await checker.phase("checked");
  await checker.result.getByRole("tab", { name: "Rewrite" }).click();
  const shown = checker.result.locator(".merge .cm-mergeView");
  await expect(shown).toBeVisible();
  await checker.page.emulateMedia({ media: "print" });
  const isCut = await shown.evaluate((element) => element.scrollHeight > element.clientHeight + 1 && getComputedStyle(element).overflowY !== "visible");
  expect(isCut).toBe(false);
});
