// While somebody types: the last result stays, and what is unfinished is one line under it.
import { expect, test, type Checker } from "../support/checker";

const TABLES = `CREATE TABLE public.one (a int) TABLESPACE fast;
CREATE TABLE public.two (a int);
`;

const squiggle = (checker: Checker) => checker.input.locator(".cm-unfinished");

async function begin(checker: Checker): Promise<void> {
  await checker.open();
  await checker.paste(TABLES);
  await checker.verdict("ready-after-rewrite");
}

test("an unfinished statement is one squiggle, and the last result stays until it is whole", async ({ checker }) => {
  await begin(checker);
  await checker.type("CREATE TABL public.three");
  await checker.phase("unfinished");
  await expect(squiggle(checker)).toHaveCount(1);
  await expect(squiggle(checker)).toHaveText("CREATE TABL public.three");
  await expect(checker.result.locator("[data-verdict]")).toHaveAttribute("data-verdict", "ready-after-rewrite");
  await expect(checker.result.locator(".before")).toContainText("Line 3 of dump.sql is unfinished");
  await expect(checker.input.locator(".cm-place")).toHaveText(["TABLESPACE fast"]);
  for (let at = 0; at < "L public.three".length; at++) await checker.page.keyboard.press("Backspace");
  await checker.page.keyboard.type("LE public.three (a int);");
  await checker.phase("checked");
  await expect(squiggle(checker)).toHaveCount(0);
  await expect(checker.result.locator(".before")).toHaveCount(0);
  await expect(checker.result.locator(".checked")).toContainText("3 statements");
});

test("an open quote takes nothing from the result either", async ({ checker }) => {
  await begin(checker);
  await checker.type("SELECT 'it");
  await checker.phase("unfinished");
  await expect(squiggle(checker)).toHaveCount(1);
  await expect(checker.result.locator("[data-verdict]")).toHaveAttribute("data-verdict", "ready-after-rewrite");
  await expect(checker.input.locator("[data-refused]")).toHaveCount(0);
  await checker.page.keyboard.type("';");
  await checker.phase("checked");
});

test("the first statement is not judged before it is whole either", async ({ checker }) => {
  await checker.open();
  await checker.type("CREATE TABL");
  await checker.phase("unfinished");
  await expect(squiggle(checker)).toHaveText("CREATE TABL");
  await expect(checker.result).toHaveText("Line 1 of dump.sql is unfinished: the result comes with the end of its statement.");
  expect(await checker.axe()).toEqual([]);
  await checker.page.keyboard.press("Backspace");
  await checker.page.keyboard.type("LE public.t (a text DEFAULT '");
  await checker.phase("unfinished");
  await checker.page.keyboard.type("');");
  await checker.verdict("ready");
  // What is left so is judged.
  await checker.page.keyboard.press("Control+A");
  await checker.page.keyboard.press("Backspace");
  await checker.phase("empty");
  await checker.type("CREATE TABL public.t;");
  await checker.phase("unfinished");
  await checker.page.getByLabel("Colours").focus();
  await checker.verdict("needs-work");
});

test("what is left as it is counts as soon as nobody types there", async ({ checker }) => {
  await begin(checker);
  await checker.type("CREATE TABL public.three;");
  await checker.phase("unfinished");
  await checker.page.keyboard.press("Control+Home");
  await checker.verdict("needs-work");
  await expect(squiggle(checker)).toHaveCount(0);
  await checker.type("\nSELECT 'open");
  await checker.phase("unfinished");
  await checker.result.getByLabel("Search findings").focus();
  await checker.phase("refused");
  await expect(checker.input.locator("[data-refused]")).toContainText("cut off");
  // What was known stays in sight, and is said to be old.
  await expect(checker.result.locator(".before")).toContainText("before the last edit");
});

test("what was pasted or opened is never taken for typing", async ({ checker }) => {
  await begin(checker);
  await checker.paste("CREATE TABL public.three;\n");
  await checker.verdict("needs-work");
});
