// Dumps that no editor holds.
import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect, test } from "../support/checker";

/** A dump of so many bytes, with a finding behind its rows. */
function dump(size: number): Buffer {
  const row = "1\tsome name that is long enough\t2024-01-01 00:00:00+00\tit's {\"a\": 1}\n";
  const rows = Buffer.alloc(size - (size % row.length), row);
  return Buffer.concat([
    Buffer.from("CREATE TABLE public.t (a int, b text, c timestamptz, d text);\nCOPY public.t FROM stdin;\n"),
    rows,
    Buffer.from("\\.\n\nCREATE TABLE public.behind (a int) TABLESPACE fast;\nCREATE TABLE public.last (a int);\n"),
  ]);
}

const LARGE = dump(40 << 20);

test("a large dump stays a file, and shows the lines around a finding @both", async ({ checker }) => {
  await checker.open();
  await checker.drop({ name: "large.sql", bytes: LARGE });
  await checker.verdict("ready-after-rewrite", 30_000);
  await expect(checker.input).toContainText("42 MB");
  await checker.page.keyboard.press("F8");
  const lines = checker.input.locator("[data-file-lines]");
  await expect(lines).toContainText("CREATE TABLE public.last");
  await expect(lines.locator("mark")).toHaveText("TABLESPACE fast");
});

test("a large compressed dump shows the finding's lines from the report", async ({ checker }) => {
  await checker.open();
  await checker.drop({ name: "large.sql.gz", bytes: gzipSync(LARGE, { level: 1 }) });
  await checker.verdict("ready-after-rewrite", 30_000);
  await checker.page.keyboard.press("F8");
  await expect(checker.input.locator("[data-file-lines] mark")).toHaveText("TABLESPACE fast");
});

test("a check is cancelled and begun again", async ({ checker }, info) => {
  const path = info.outputPath("large.sql");
  writeFileSync(path, dump(200 << 20));
  await checker.open();
  await checker.openFiles(path);
  await checker.input.getByRole("button", { name: "Cancel" }).click();
  await checker.phase("cancelled");
  await checker.input.getByRole("button", { name: "Check again" }).click();
  await checker.verdict("ready-after-rewrite", 30_000);
});

test("the page answers while a large dump is checked", async ({ checker }, info) => {
  const path = info.outputPath("large.sql");
  writeFileSync(path, LARGE);
  await checker.open();
  await checker.page.evaluate(() => {
    const gaps: number[] = [];
    let before = performance.now();
    const beat = (): void => {
      const now = performance.now();
      gaps.push(now - before);
      before = now;
      setTimeout(beat, 10);
    };
    beat();
    Object.assign(window, { gaps });
  });
  await checker.openFiles(path);
  await checker.verdict("ready-after-rewrite", 30_000);
  const longest = await checker.page.evaluate(() => Math.max(...(window as unknown as { gaps: number[] }).gaps));
  expect(longest).toBeLessThan(2000);
});

test("a dump of 15 MB is edited without lag", async ({ checker }) => {
  await checker.open();
  await checker.drop({ name: "edited.sql", bytes: dump(15 << 20) });
  await checker.verdict("ready-after-rewrite", 30_000);
  await checker.editor.click();
  await checker.page.keyboard.press("Control+Home");
  const began = Date.now();
  await checker.page.keyboard.type("-- typed\n");
  expect(Date.now() - began).toBeLessThan(4000);
  await expect(checker.editor).toContainText("-- typed");
  await checker.phase("checked");
  await checker.page.keyboard.press("Control+End");
  await expect(checker.editor).toContainText("CREATE TABLE public.last");
  await expect(checker.input.locator(".cm-place")).toHaveText(["TABLESPACE fast"]);
});

test("tens of thousands of findings do not freeze the page", async ({ checker }) => {
  await checker.open();
  const table = (at: number): string => `CREATE TABLE public.t${at} (a int) TABLESPACE fast;\n`;
  await checker.openFiles({ name: "many.sql", bytes: Array.from({ length: 20_000 }, (_, at) => table(at)).join("") });
  await checker.verdict("ready-after-rewrite", 40_000);
  const began = Date.now();
  await checker.editor.click();
  await checker.page.keyboard.press("Control+End");
  await checker.page.keyboard.press("Shift+F8");
  await expect(checker.input.locator("[data-said]")).toContainText("line 20000");
  await checker.page.keyboard.type("-- typed");
  await expect(checker.editor).toContainText("-- typed");
  expect(Date.now() - began).toBeLessThan(10_000);
});

test("a file that has changed since it was opened is to be opened again", async ({ checker }, info) => {
  const path = info.outputPath("large.sql");
  writeFileSync(path, LARGE);
  await checker.open();
  await checker.openFiles(path);
  await checker.verdict("ready-after-rewrite", 30_000);
  writeFileSync(path, "SELECT 1;\n");
  await checker.paste("SELECT 2;\n");
  await checker.phase("refused");
  await expect(checker.input.locator("[data-refused]")).toContainText("large.sql cannot be checked: the file cannot be read");
});
