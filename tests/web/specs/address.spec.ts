// The address: where somebody is, never what they have.
import { expect, test, type Checker } from "../support/checker";

const fragment = (checker: Checker): Promise<string> => checker.page.evaluate(() => location.hash);

test("tabs and findings are in the address, and Back goes through them @both", async ({ checker }) => {
  const { page, result } = checker;
  await checker.open();
  await checker.openSample();
  await checker.verdict("needs-work");
  expect(await fragment(checker)).toBe("");
  await result.getByRole("tab", { name: "Rewrite" }).click();
  await expect.poll(() => fragment(checker)).toBe("#tab=rewrite");
  await result.getByRole("tab", { name: "Download" }).click();
  await expect.poll(() => fragment(checker)).toBe("#tab=take");
  await page.goBack();
  await expect(result.getByRole("tab", { name: "Rewrite" })).toHaveAttribute("aria-selected", "true");
  await page.goBack();
  await expect(result.getByRole("tab", { name: "Findings" })).toHaveAttribute("aria-selected", "true");
  await result.getByRole("button", { name: /^Show me/ }).first().click();
  await expect.poll(() => fragment(checker)).toMatch(/^#finding=\d+$/);
  await expect(result.locator(".finding.open")).toHaveCount(1);
  await page.goBack();
  await expect(result.locator(".finding.open")).toHaveCount(0);
  await page.goForward();
  await expect(result.locator(".finding.open")).toHaveCount(1);
  // The dump is still there.
  await expect(checker.editor).toContainText("shop");
});

test("nothing of a dump is ever in the address", async ({ checker }) => {
  await checker.open();
  await checker.openFiles({ name: "secret_customer.sql", bytes: "CREATE TABLE public.hidden (a int) TABLESPACE classified;\n" });
  await checker.verdict("ready-after-rewrite");
  await checker.findings.first().locator("button.row").click();
  await expect.poll(() => fragment(checker)).toBe("#finding=1");
  await checker.page.keyboard.press("F8");
  expect(await checker.page.evaluate(() => location.href)).not.toMatch(/secret|hidden|classified/);
});

test("the address of a rule opens its page inside the app @both", async ({ checker }) => {
  const { page, result } = checker;
  await checker.open("#rule=TSP-03");
  await expect(result.locator(".rule-page h2")).toContainText("TSP-03");
  await expect(result.locator(".rule-page")).toContainText("What the server says");
  await expect(result.locator(".rule-page")).toContainText("SET default_tablespace");
  expect(await checker.axe()).toEqual([]);
  await result.getByRole("combobox", { name: "Rule", exact: true }).selectOption("TSP-04");
  await expect(result.locator(".rule-page h2")).toContainText("TSP-04");
  await expect.poll(() => fragment(checker)).toBe("#rule=TSP-04");
  await page.goBack();
  await expect(result.locator(".rule-page h2")).toContainText("TSP-03");
  await checker.paste("SET default_tablespace = fast;\n");
  await checker.phase("checked");
  await result.getByRole("button", { name: "Show 1 finding of it in this dump" }).click();
  await expect(result.locator("p.status")).toHaveText("1 finding in 1 group");
  await page.evaluate(() => (location.hash = "#rule=NO-99"));
  await expect(result.locator(".rule-page h2")).toContainText("No rule of dumps is called NO-99");
  await page.goBack();
  await expect(result.locator("[data-verdict]")).toBeVisible();
});

test("a rule that does not exist is said to, and nothing stands beside the one main button", async ({ checker }) => {
  for (const [rule, words] of [
    ["XYZ-99", "No rule of dumps is called XYZ-99"],
    ["constructor", "No rule of dumps is called CONSTRUCTOR"],
    ["MAP-01", "about schemas that move"],
    ["", "No rule of dumps is called"],
  ]) {
    await checker.open(`#rule=${rule}`);
    await checker.page.reload();
    await expect(checker.result).toContainText(words ?? "");
    await expect(checker.page.getByRole("button", { name: "Open files …" })).toBeVisible();
    await expect(checker.page.locator("button.main")).toHaveCount(0);
  }
});

test("a finding leads to its rule's page, and is copied as text, with its fix", async ({ checker, context, form }) => {
  test.skip(form === "file", "a page from a disk has no clipboard to read");
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const { page, result } = checker;
  await checker.open();
  await checker.paste("CREATE TABLE public.t (a int) TABLESPACE fast;\n");
  await checker.verdict("ready-after-rewrite");
  await checker.findings.first().locator("button.row").click();
  const copied = (): Promise<string> => page.evaluate(() => navigator.clipboard.readText());
  await result.getByRole("button", { name: "Copy the finding" }).click();
  await expect.poll(copied).toContain("error TSP-04 tablespace-clause\n");
  const text = await copied();
  for (const words of ["  at: dump.sql:1:31 (table public.t)", "  server: ERROR ", "  what to do: ", "  fix: "]) expect(text).toContain(words);
  await result.getByRole("button", { name: "Copy the fix" }).click();
  await expect.poll(copied).toBe("CREATE TABLE public.t (a int);\n");
  await result.getByRole("button", { name: "About TSP-04" }).first().click();
  await expect(result.locator(".rule-page h2")).toContainText("TSP-04");
  await page.goBack();
  await expect(result.locator(".finding.open")).toHaveCount(1);
});

test("the rewrite goes from change to change, and the editor is where it was", async ({ checker }) => {
  const { page, result } = checker;
  await checker.open();
  const table = (at: number): string => `CREATE TABLE public.t${at} (a int) TABLESPACE fast;\n${"-- between\n".repeat(30)}`;
  await checker.paste(Array.from({ length: 20 }, (_, at) => table(at)).join(""));
  await checker.verdict("ready-after-rewrite");
  await checker.editor.click();
  await page.keyboard.press("Control+Home");
  for (let step = 0; step < 10; step++) await page.keyboard.press("F8");
  const line = checker.editor.locator(".cm-line").filter({ hasText: "public.t9 " });
  await expect(line).toBeInViewport();
  await result.getByRole("tab", { name: "Rewrite" }).click();
  const steps = result.getByRole("group", { name: "Changes" });
  await expect(steps).toContainText("Change 10 of 20");
  await expect(result.locator(".cm-merge-a .cm-current-change")).toContainText("public.t9 ");
  await expect(result.locator(".cm-merge-a .cm-current-change")).toBeInViewport();
  await steps.getByRole("button", { name: "Next change" }).click();
  await expect(steps).toContainText("Change 11 of 20");
  await page.keyboard.press("Shift+F7");
  await expect(steps).toContainText("Change 10 of 20");
  // Another way of rewriting keeps the place.
  await result.getByLabel("Delete what is removed").check();
  await expect(steps).toContainText("Change 10 of 20");
  expect(await checker.axe()).toEqual([]);
  await result.getByRole("tab", { name: "Findings" }).click();
  await expect(line).toBeInViewport();
});
