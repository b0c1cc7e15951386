// The verdict and the list of findings.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "../support/checker";
import { NATIVE } from "../support/paths";

/** One finding of each kind that counts: open, solved, a warning, a note. */
const DUMP = `CREATE EXTENSION dblink;
CREATE TABLE public.t (a integer) TABLESPACE fast;
CREATE VIEW public.v AS SELECT * FROM dblink('dbname=x', 'SELECT 1') AS r(a integer);
CREATE TABLE public.u (b integer) TABLESPACE fast;
CREATE UNLOGGED TABLE public.w (c integer);
`;

test("the verdict has the command line's words and numbers", async ({ checker }, info) => {
  await checker.open();
  await checker.openFiles({ name: "dump.sql", bytes: DUMP });
  await checker.verdict("needs-work");
  const path = join(info.outputPath(), "dump.sql");
  writeFileSync(path, DUMP);
  let said = "";
  try {
    said = execFileSync(NATIVE, ["check", "--no-config", "--all", path], { encoding: "utf8" });
  } catch (error) {
    said = (error as { stdout: string }).stdout;
  }
  const status = (await checker.result.locator(".verdict [role=status]").textContent()) ?? "";
  expect(said).toContain(status);
  const counts = await checker.result.locator(".counts b").allTextContents();
  const [open, solved, warnings, notes] = counts;
  expect(said).toContain(`(${solved} fixed by the rewrite, ${open} open), ${warnings} warning`);
  expect(said).toMatch(new RegExp(`${notes} notes?`));
  for (const lost of await checker.result.locator(".lost li").allTextContents()) expect(said).toContain(lost);
  await expect(checker.result.locator(".lost li").first()).toBeVisible();
  await expect(checker.result.locator(".checked")).toContainText("5 statements");
  await expect(checker.result.locator(".checked")).toContainText("for Timescale service, PostgreSQL 17");
});

test("each verdict is said in words, with a sign", async ({ checker }) => {
  for (const [sql, verdict, words, sign] of [
    ["CREATE TABLE public.t (a integer);", "ready", "No statement fails on the target.", "✓"],
    ["SET default_tablespace = fast;", "ready-after-rewrite", "As it is, it restores with 1 error; the rewrite fixes it.", "✓"],
    [DUMP, "needs-work", "that the rewrite does not fix by itself.", "✗"],
  ] as const) {
    await checker.open();
    await checker.paste(sql);
    await checker.verdict(verdict);
    await expect(checker.result.locator(".sentence")).toContainText(words);
    await expect(checker.result.locator(".sign")).toHaveText(sign);
  }
});

test("a finding tells why, the server's error, what to do, and where it comes from", async ({ checker }) => {
  await checker.open();
  await checker.paste(DUMP);
  await checker.verdict("needs-work");
  await checker.findings.filter({ hasText: "view public.v" }).getByRole("button").first().click();
  const detail = checker.result.locator(".finding.open .detail");
  await expect(detail).toContainText("ERROR 42883: function dblink");
  await expect(detail.locator("dt")).toContainText(["Server", "Because of", "What to do", "Fix"]);
  await expect(detail.locator("mark").first()).toBeVisible();
  const docs = checker.result.locator("section.group").filter({ has: checker.page.locator(".finding.open") }).getByRole("link");
  await expect(docs).toHaveAttribute("target", "_blank");
  await expect(docs).toHaveAttribute("rel", /noreferrer/);
  // To the cause, and from there back to what depends on it.
  await detail.locator(".places button").first().click();
  await expect(checker.result.locator(".finding.open .row")).toContainText("dblink");
  await expect(checker.result.locator(".finding.open .detail dt")).toContainText(["Falls with it"]);
});

test("what falls with an extension is a tree that one can open", async ({ checker }) => {
  await checker.open();
  await checker.paste(`CREATE EXTENSION dblink;
CREATE VIEW public.v AS SELECT * FROM dblink('dbname=x', 'SELECT 1') AS r(a integer);
CREATE VIEW public.above AS SELECT a FROM public.v;
CREATE VIEW public.top AS SELECT a FROM public.above;
`);
  await checker.verdict("needs-work");
  await checker.result.getByLabel("Search findings").fill("ext-01");
  await expect(checker.findings).toHaveCount(1);
  await checker.findings.first().locator("button.row").click();
  const tree = checker.result.locator(".detail .falls").first();
  await expect(tree).toContainText("view public.v");
  await expect(tree).toContainText("view public.top");
  expect(await checker.axe()).toEqual([]);
  await tree.getByRole("button", { name: /DEP-01/ }).first().click();
  await expect(checker.result.locator(".finding.open .row")).toContainText("public.v");
});

test("findings are put together by rule, object, severity or input, filtered and searched", async ({ checker }) => {
  await checker.open();
  await checker.paste(DUMP);
  await checker.verdict("needs-work");
  const { result, page } = checker;
  await expect(result.locator("h3.part")).toContainText(["Open errors", "Fixed by the rewrite"]);
  await result.getByLabel("Group by").selectOption("object");
  await expect(result.locator("section.group h4")).toContainText(["table public.t"]);
  await result.getByLabel("Group by").selectOption("severity");
  await expect(result.locator("section.group").first().locator("h4")).toContainText("Open errors");
  await result.getByLabel("Group by").selectOption("file");
  await expect(result.locator("section.group")).toHaveCount(1);
  await result.getByLabel("Group by").selectOption("rule");
  await result.getByLabel("Search findings").fill("public.u tsp");
  await expect(result.locator("p.status")).toHaveText(/^1 of \d+ findings in 1 group$/);
  await result.getByLabel("Search findings").fill("nothing has this");
  await expect(result.getByText("No finding matches.")).toBeVisible();
  await result.getByLabel("Search findings").fill("");
  expect(page.url()).toBe(checker.address);
});

test("arrow keys, j and k go through the list, Enter opens, the list and the editor follow each other", async ({ checker }) => {
  await checker.open();
  await checker.paste(DUMP);
  await checker.verdict("needs-work");
  const { page, result } = checker;
  const heads = result.locator("button.head");
  await heads.first().focus();
  await page.keyboard.press("ArrowDown");
  await expect(checker.findings.first().locator("button.row")).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(checker.findings.first()).toHaveClass(/open/);
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  await expect(checker.findings.first().locator("button.row")).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(result.locator(".finding.open")).toHaveCount(0);
  await page.keyboard.press("End");
  await expect(result.locator("button.head, button.row").last()).toBeFocused();
  // The editor's own key selects a finding: the list opens it.
  await page.keyboard.press("F8");
  await expect(result.locator(".finding.open")).toHaveCount(1);
  await expect(result.locator(".finding.open")).toBeInViewport();
});

test("the text of a dump is never markup", async ({ checker }) => {
  await checker.open();
  await checker.paste('CREATE TABLE public."<img src=x onerror=alert(1)>\u202e" (a integer) TABLESPACE fast;\n');
  await checker.verdict("ready-after-rewrite");
  await checker.result.getByLabel("Group by").selectOption("object");
  await expect(checker.result.locator("section.group h4")).toContainText("<img src=x onerror=alert(1)>\\u{202e}");
  await expect(checker.result.locator("img")).toHaveCount(0);
});

test("of more findings than a page can hold, the worst are shown, few are drawn at once, and that is said", async ({ checker }) => {
  const tables = 10_500;
  let sql = "";
  for (let at = 0; at < tables; at++) {
    sql += `CREATE TABLE public.t${at} (a integer) TABLESPACE fast;\nALTER TABLE public.t${at} OWNER TO nobody;\n`;
  }
  await checker.open();
  await checker.openFiles({ name: "many.sql", bytes: `${sql}CREATE UNLOGGED TABLE public.last (c integer);\n` });
  await checker.verdict("needs-work");
  const { result, page } = checker;
  const few = async (): Promise<void> => expect(await page.locator("*").count()).toBeLessThan(4000);
  await expect(result.locator(".capped")).toContainText("The dump has 21,001 findings: more than a page can hold.");
  await expect(result.locator(".capped")).toContainText("20,000");
  await expect(result.locator(".counts b")).toHaveText(["10,500", "10,500", "1", "0"]);
  // No rule is left out, and no open error.
  await expect(result.locator("h3.part")).toHaveText(["Open errors", "Fixed by the rewrite", "Warnings"]);
  await expect(result.locator("section.group .head .number").first()).toHaveText("10,500");
  await few();
  await result.getByRole("button", { name: "Open all" }).click();
  await expect(checker.findings.first()).toBeVisible();
  await few();
  await result.getByLabel("Group by").selectOption("object");
  await expect(result.locator("section.group h4").first()).toContainText("table public.t0");
  await few();
  await result.getByLabel("Search findings").fill("public.t8000 own");
  await expect(result.locator("p.status")).toHaveText("1 of 20,000 findings in 1 group");
  await result.locator(".capped").getByRole("button", { name: "Download" }).click();
  const file = await checker.download(() => result.getByRole("button", { name: "JSON", exact: true }).click());
  expect((JSON.parse(file.bytes.toString()) as { findings: unknown[] }).findings).toHaveLength(2 * tables + 1);
});
