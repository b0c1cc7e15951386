// Findings in the text, and the text of a finding.
import { expect, test, type Checker } from "../support/checker";

const places = (checker: Checker) => checker.input.locator(".cm-place");
const marks = (checker: Checker) => checker.input.locator(".cm-findings .mark");
const said = (checker: Checker) => checker.input.locator("[data-said]");

const TABLES = `CREATE TABLE public.one (a int) TABLESPACE fast;
CREATE TABLE public.two (a int) TABLESPACE fast;
CREATE TABLE public.three (a int) TABLESPACE fast;
`;

test("what is typed is checked, and marked where it is", async ({ checker }) => {
  await checker.open();
  await checker.type("CREATE TABLE public.t (a int) TABLESPACE fast;");
  await checker.verdict("ready-after-rewrite");
  await expect(places(checker)).toHaveText(["TABLESPACE fast"]);
  await expect(checker.input.locator(".cm-hint")).toContainText("tablespace");
  await expect(marks(checker)).toHaveClass(/mark-error.*mark-solved/);
});

test("open findings and solved ones have signs of different shapes", async ({ checker }) => {
  await checker.open();
  await checker.paste(`${TABLES}ALTER TABLE public.one OWNER TO somebody;\n`);
  await checker.phase("checked");
  const solved = marks(checker).and(checker.page.locator(".mark-solved")).first();
  const open = marks(checker).and(checker.page.locator(".mark-open")).first();
  expect(await open.innerHTML()).not.toBe(await solved.innerHTML());
});

test("a finding's hint says what becomes of it, in words, sign and colour", async ({ checker }) => {
  await checker.open();
  await checker.paste(`CREATE TABLE public.one (a int) TABLESPACE fast;
CREATE OPERATOR FAMILY public.f USING btree;
CREATE TABLE public.gone (a nothing.like_this);
`);
  await checker.phase("checked");
  const hint = (words: string) => checker.input.locator(".cm-hint").filter({ hasText: words });
  const colour = (words: string): Promise<string> => hint(words).evaluate((element) => getComputedStyle(element).color);
  await expect(hint("fixed: ")).toHaveClass(/hint-solved/);
  await expect(hint("public.f")).toHaveText(/^(by hand|fix off, with a loss): /);
  expect(await colour("fixed: ")).not.toBe(await colour("public.f"));
  await checker.result.locator("section.group").filter({ hasText: "SU-07" }).locator(".switch").first().click();
  await expect(hint("public.f")).toHaveClass(/hint-lost/);
  await expect(hint("public.f")).toHaveText(/^(left out|fixed, with a loss): /);
  const signs = await marks(checker).evaluateAll((all) => all.map((one) => one.innerHTML));
  expect(new Set(signs).size).toBe(signs.length);
});

test("marks go along with what is typed before them", async ({ checker }) => {
  await checker.open();
  await checker.paste(TABLES);
  await checker.phase("checked");
  await checker.editor.click();
  await checker.page.keyboard.press("Control+Home");
  await checker.page.keyboard.type("-- first\n");
  // Before another check has ended.
  await expect(places(checker)).toHaveText(["TABLESPACE fast", "TABLESPACE fast", "TABLESPACE fast"]);
  await checker.phase("checked");
  await expect(places(checker)).toHaveText(["TABLESPACE fast", "TABLESPACE fast", "TABLESPACE fast"]);
});

test("places are right whatever ends the lines", async ({ checker }) => {
  const text = "-- é🐘\nCREATE TABLE public.t (a int) TABLESPACE fast;\n-- end\n";
  await checker.open();
  for (const [name, bytes] of [
    ["crlf.sql", text.replaceAll("\n", "\r\n")],
    ["bom.sql", `\ufeff${text}`],
    ["mixed.sql", `-- a\r\n-- b\r-- c\n${text}`],
  ] as const) {
    await checker.openFiles({ name, bytes });
    await expect(checker.input.getByRole("tab", { selected: true })).toContainText(name);
    await checker.phase("checked");
    await expect(places(checker)).toHaveText(["TABLESPACE fast"]);
    await checker.input.getByRole("button", { name: `Close ${name}` }).click();
    await checker.phase("empty");
  }
});

test("a text with CRLF keeps its bytes when it is edited", async ({ checker }) => {
  await checker.open();
  await checker.openFiles({ name: "crlf.sql", bytes: "CREATE TABLE public.t (a int);\r\n-- end\r\n" });
  await checker.phase("checked");
  await checker.type("SET default_tablespace = fast;\n");
  await expect(places(checker)).toHaveText(["fast"]);
  await expect(checker.input.locator(".input-status")).toContainText("CRLF");
});

test("F8 goes through the findings, over the end of a dump, and says them", async ({ checker }) => {
  await checker.open();
  const others = TABLES.replaceAll("public.", "public.other_");
  await checker.drop({ name: "a.sql", bytes: TABLES }, { name: "b.sql", bytes: others });
  await checker.phase("checked");
  await checker.editor.click();
  await checker.page.keyboard.press("Control+Home");
  const lines: string[] = [];
  for (let step = 0; step < 6; step++) {
    await checker.page.keyboard.press("F8");
    await expect(said(checker)).not.toHaveText(lines.at(-1) ?? "");
    lines.push((await said(checker).textContent()) ?? "");
  }
  expect(lines.map((line) => /\w\.sql line \d/.exec(line)?.[0]).sort()).toEqual([
    "a.sql line 1",
    "a.sql line 2",
    "a.sql line 3",
    "b.sql line 1",
    "b.sql line 2",
    "b.sql line 3",
  ]);
  await checker.page.keyboard.press("Shift+F8");
  await expect(said(checker)).toHaveText(lines[4] ?? "");
});

test("the cursor in a finding's place selects it in the list, and so does its mark", async ({ checker }) => {
  await checker.open();
  await checker.paste(TABLES);
  await checker.phase("checked");
  await places(checker).nth(1).click();
  await expect(said(checker)).toContainText("line 2");
  await expect(checker.result.locator("[aria-expanded=true]").filter({ hasText: "line 2" })).toBeVisible();
  await marks(checker).nth(2).click();
  await expect(said(checker)).toContainText("line 3");
  await expect(places(checker).nth(2)).toHaveClass(/place-selected/);
});

test("a finding that is selected in the list is shown in its own dump", async ({ checker }) => {
  await checker.open();
  const far = `${"-- far\n".repeat(500)}CREATE TABLE public.far (a int) TABLESPACE fast;\n`;
  await checker.drop({ name: "far.sql", bytes: far }, { name: "near.sql", bytes: "SELECT 1;\n" });
  await checker.phase("checked");
  await checker.input.getByRole("tab", { name: /near/ }).click();
  await checker.findings.filter({ hasText: "far" }).first().getByRole("button").first().click();
  await expect(checker.input.getByRole("tab", { selected: true })).toContainText("far.sql");
  await expect(places(checker)).toBeInViewport();
  await expect(places(checker)).toHaveClass(/place-selected/);
});

test("details are shown on hover", async ({ checker }) => {
  await checker.open();
  await checker.paste(TABLES);
  await checker.phase("checked");
  await places(checker).first().hover();
  await expect(checker.page.locator(".cm-details")).toContainText("TSP-04 · fixed");
});

test("Tab leaves the editor, and Ctrl+F searches in it", async ({ checker }) => {
  await checker.open();
  await checker.paste(TABLES);
  await checker.phase("checked");
  await checker.editor.click();
  await checker.page.keyboard.press("Control+f");
  await expect(checker.page.getByRole("textbox", { name: "Find" })).toBeFocused();
  await checker.page.keyboard.press("Escape");
  await expect(checker.editor).toBeFocused();
  await checker.page.keyboard.press("Tab");
  await expect(checker.editor).not.toBeFocused();
  expect(await checker.editor.textContent()).not.toContain("\t");
});

test("the data of a COPY folds away, and unfolds for a finding behind it", async ({ checker }) => {
  await checker.open();
  const rows = Array.from({ length: 50 }, (_, at) => `${at}\tit's a row\n`).join("");
  await checker.paste(`CREATE TABLE public.t (a int, b text);\nCOPY public.t (a, b) FROM stdin;\n${rows}\\.\n\nSET default_tablespace = fast;\n`);
  await checker.phase("checked");
  await checker.input.locator(".cm-foldGutter [title='Fold line']").first().click();
  await expect(checker.editor).not.toContainText("it's a row");
  await expect(checker.input.locator(".cm-place")).toHaveText(["fast"]);
});

test("on a phone the cursor leaves the text in view, and typing does not fold it", async ({ checker }) => {
  await checker.page.setViewportSize({ width: 390, height: 844 });
  await checker.open();
  await checker.paste(TABLES.repeat(30));
  await checker.phase("checked");
  await checker.input.getByRole("button", { name: "Show the dump" }).click();
  expect(await checker.page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  await checker.editor.locator(".cm-line").nth(1).click();
  await checker.page.keyboard.press("End");
  await checker.page.keyboard.press("ArrowLeft");
  // What scrolls does so in the next frames.
  await checker.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  await expect(checker.editor.locator(".cm-line").nth(1)).toBeInViewport();
  await checker.page.keyboard.type(" ");
  await checker.phase("checked");
  await expect(checker.editor.locator(".cm-line").nth(1)).toBeInViewport();
});
