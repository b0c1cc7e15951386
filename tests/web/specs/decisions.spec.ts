// Decisions: first in sight, each with a button, and taken back the same way.
import { expect, test, type Checker } from "../support/checker";

const DUMP = `CREATE EXTENSION dblink;
CREATE TABLE public.t (a integer) TABLESPACE fast;
CREATE VIEW public.v AS SELECT * FROM dblink('dbname=x', 'SELECT 1') AS r(a integer);
ALTER TABLE public.t OWNER TO rnacen;
`;

const decisions = (checker: Checker) => checker.result.getByRole("list", { name: "To decide" }).locator(":scope > li");
const decided = (checker: Checker) => checker.result.getByRole("list", { name: "Decided" }).getByRole("listitem");

test("the decisions stand directly under the verdict, above the fold", async ({ checker }) => {
  await checker.page.setViewportSize({ width: 1440, height: 900 });
  await checker.open();
  await checker.openSample();
  await checker.verdict("needs-work");
  await expect(decisions(checker)).toHaveCount(1);
  await expect(decisions(checker).first()).toBeInViewport({ ratio: 1 });
  for (const name of [/^Show me/, /^Leave out/]) await expect(decisions(checker).first().getByRole("button", { name })).toBeInViewport({ ratio: 1 });
  // Nothing but the sentence stands between.
  const [sentence, first] = [await checker.result.locator(".sentence").boundingBox(), await decisions(checker).first().boundingBox()];
  expect(first && sentence && first.y - sentence.y - sentence.height < 40).toBe(true);
});

test("a decision is left out with one click, stays in sight, and is kept with another", async ({ checker }) => {
  await checker.open();
  await checker.paste(DUMP);
  await checker.verdict("needs-work");
  await expect(decisions(checker)).toHaveCount(2);
  const own = decisions(checker).filter({ hasText: "dblink" });
  await own.getByRole("button", { name: /^Leave out/ }).click();
  await checker.phase("checked");
  await expect(decisions(checker)).toHaveCount(1);
  await expect(checker.result.locator(".lost")).toContainText("view public.v");
  await expect(decided(checker)).toContainText("dblink");
  expect(await checker.axe()).toEqual([]);
  await decided(checker).getByRole("button", { name: /^Keep/ }).click();
  await checker.phase("checked");
  await expect(decisions(checker)).toHaveCount(2);
  await expect(decided(checker)).toHaveCount(0);
});

test("Show me leads to the statement, in the text and in the list", async ({ checker }) => {
  await checker.open();
  await checker.paste(DUMP);
  await checker.verdict("needs-work");
  await decisions(checker).filter({ hasText: "rnacen" }).getByRole("button", { name: /^Show me/ }).click();
  await expect(checker.result.locator(".finding.open")).toContainText("rnacen");
  await expect(checker.result.locator(".finding.open")).toBeInViewport();
  await expect(checker.input.locator(".place-selected").first()).toContainText("rnacen");
});

test("a fix that somebody switches off is a decision with a button that applies it", async ({ checker }) => {
  await checker.open();
  await checker.paste("SET default_tablespace = fast;\n");
  await checker.verdict("ready-after-rewrite");
  await checker.result.locator(".switch").first().click();
  await checker.verdict("needs-work");
  await decisions(checker).getByRole("button", { name: /^Apply the fix/ }).click();
  await checker.verdict("ready-after-rewrite");
});

test("a command of a decision is copied", async ({ checker, context, form }) => {
  test.skip(form === "file", "a page from a disk has no clipboard to read");
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await checker.open();
  await checker.paste(DUMP);
  await checker.verdict("needs-work");
  await decisions(checker).filter({ hasText: "rnacen" }).getByRole("button", { name: /^Copy the command: Create/ }).click();
  expect(await checker.page.evaluate(() => navigator.clipboard.readText())).toBe("CREATE ROLE rnacen;");
});

test("a risk is accepted, and the statement is kept", async ({ checker }) => {
  await checker.open();
  await checker.paste(`SELECT pg_catalog.set_config('search_path', '', false);
CREATE SCHEMA app;
CREATE FUNCTION app.more(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN twice($1); END $$;
CREATE TABLE app.item (id integer);
COPY app.item (id) FROM stdin;
1
\\.
CREATE INDEX item_more ON app.item USING btree (app.more(id));
`);
  await checker.verdict("needs-work");
  const { result } = checker;
  // Nothing says that it would be left out.
  await decisions(checker).getByRole("button", { name: /^Show me/ }).click();
  await expect(result.locator(".finding.open")).toContainText("Accept FN-04 to keep the statement, and take the risk that it fails");
  await expect(result).not.toContainText(/leave the statement out/i);
  await expect(result.getByRole("checkbox", { name: "Accept FN-04: keep the statement, and take the risk that it fails" })).not.toBeChecked();
  await decisions(checker).getByRole("button", { name: /^Accept/ }).click();
  await checker.verdict("ready");
  await expect(decided(checker)).toHaveCount(1);
  await expect(result.locator(".counts .warning")).toHaveText("1 warning");
  const accepted = result.getByRole("checkbox", { name: /^Accept FN-04/ });
  await expect(accepted).toBeChecked();
  expect(await checker.axe()).toEqual([]);
  await accepted.click();
  await checker.verdict("needs-work");
  await expect(decided(checker)).toHaveCount(0);
});

test("the numbers are there once: each shows its own findings alone, and all again", async ({ checker }) => {
  await checker.open();
  await checker.paste(DUMP);
  await checker.verdict("needs-work");
  await expect(checker.result.locator(".chip")).toHaveCount(0);
  const solved = checker.result.locator(".counts .solved button");
  await solved.click();
  await expect(solved).toHaveAttribute("aria-pressed", "true");
  await expect(checker.result.locator("h3.part")).toHaveText(["Fixed by the rewrite"]);
  await solved.click();
  await expect(checker.result.locator("h3.part").first()).toHaveText("Open errors");
});

test("on a phone the verdict comes first, and the dump is folded until somebody wants to see it", async ({ checker }) => {
  const { page, result, input } = checker;
  await page.setViewportSize({ width: 390, height: 844 });
  await checker.open();
  await checker.openSample();
  await checker.verdict("needs-work");
  await expect(result.locator(".verdict h2")).toBeInViewport({ ratio: 1 });
  await expect(decisions(checker).first()).toBeInViewport({ ratio: 1 });
  await expect(input.locator(".dump-panel")).toBeHidden();
  const [above, below] = [await result.boundingBox(), await input.boundingBox()];
  expect(above && below && above.y < below.y).toBe(true);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  expect(await checker.axe()).toEqual([]);
  await input.getByRole("button", { name: "Show the dump" }).click();
  await expect(checker.editor).toBeVisible();
  await input.getByRole("button", { name: "Hide the dump" }).click();
  await expect(checker.editor).toBeHidden();
});
