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

const LARGE = dump(20 << 20);

test("a large dump stays a file, and shows the lines around a finding", async ({ checker }) => {
  await checker.open();
  await checker.drop({ name: "large.sql", bytes: LARGE });
  await checker.verdict("ready-after-rewrite");
  await expect(checker.input).toContainText("21 MB");
  await checker.page.keyboard.press("F8");
  const lines = checker.input.locator("[data-file-lines]");
  await expect(lines).toContainText("CREATE TABLE public.last");
  await expect(lines.locator("mark")).toHaveText("TABLESPACE fast");
});

test("a large compressed dump shows the finding's lines from the report", async ({ checker }) => {
  await checker.open();
  await checker.drop({ name: "large.sql.gz", bytes: gzipSync(LARGE, { level: 1 }) });
  await checker.verdict("ready-after-rewrite");
  await checker.page.keyboard.press("F8");
  await expect(checker.input.locator("[data-file-lines] mark")).toHaveText("TABLESPACE fast");
});

/** Presses Cancel as soon as it is there in a check: a check does not wait for a test. */
function cancelAtOnce(): void {
  const watching = new MutationObserver(() => {
    if (document.querySelector("section.result")?.getAttribute("data-phase") !== "checking") return;
    const button = document.querySelector<HTMLButtonElement>(".input-status .cancel");
    if (!button) return;
    watching.disconnect();
    button.click();
  });
  watching.observe(document, { subtree: true, childList: true, attributes: true });
}

test("a check is cancelled and begun again", async ({ checker }, info) => {
  const path = info.outputPath("large.sql");
  writeFileSync(path, dump(60 << 20));
  await checker.page.addInitScript(cancelAtOnce);
  await checker.open();
  await checker.openFiles(path);
  await checker.phase("cancelled");
  await checker.input.getByRole("button", { name: "Check again" }).click();
  await checker.verdict("ready-after-rewrite");
});

for (const width of [320, 390, 1280]) {
  test(`nothing takes the place of Cancel, in a window ${width} wide`, async ({ checker }) => {
    const { page, input } = checker;
    await page.setViewportSize({ width, height: 800 });
    await checker.hold("check");
    await checker.open();
    await checker.paste("SET default_tablespace = fast;\n");
    const button = input.getByRole("button", { name: "Cancel" });
    await button.focus();
    const box = await button.boundingBox();
    if (!box) throw new Error("Cancel is not on the screen");
    /** What a click goes to that comes too late. */
    const under = (): Promise<string | null> =>
      page.evaluate(([x, y]) => document.elementFromPoint(x, y)?.closest("button, input, label, a, [contenteditable=true]")?.textContent ?? null, [
        box.x + box.width / 2,
        box.y + box.height / 2,
      ] as const);
    expect(await under()).toBe("Cancel");
    await page.keyboard.press("Enter");
    await checker.phase("cancelled");
    expect(await under()).toBe(null);
    // The keyboard goes on from the same row.
    await page.keyboard.press("Tab");
    await expect(input.getByRole("button", { name: "Check again" })).toBeFocused();
    await checker.release();
    await page.keyboard.press("Enter");
    await checker.verdict("ready-after-rewrite");
    // On a phone the result stands there then: a click that comes too late decides nothing.
    if (width > 860) expect(await under()).toBe(null);
    else expect((await under()) ?? "").not.toMatch(/^(Leave out|Accept|Apply|Keep)/);
  });
}

test("the page answers while a large dump is checked", async ({ checker }, info) => {
  const path = info.outputPath("large.sql");
  writeFileSync(path, LARGE);
  await checker.open();
  await checker.page.evaluate(() => {
    const beats = { checking: 0 };
    Object.assign(window, { beats });
    setInterval(() => {
      if (document.querySelector("section.result")?.getAttribute("data-phase") === "checking") beats.checking++;
    }, 10);
  });
  await checker.openFiles(path);
  await checker.verdict("ready-after-rewrite");
  // A check in the page itself would leave it no beat.
  expect(await checker.page.evaluate(() => (window as unknown as { beats: { checking: number } }).beats.checking)).toBeGreaterThan(2);
});

test("a dump of 15 MB is edited", async ({ checker }) => {
  await checker.open();
  await checker.drop({ name: "edited.sql", bytes: dump(15 << 20) });
  await checker.verdict("ready-after-rewrite");
  await checker.editor.click();
  await checker.page.keyboard.press("Control+Home");
  await checker.page.keyboard.type("-- typed\n");
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
  await checker.verdict("ready-after-rewrite");
  await checker.editor.click();
  await checker.page.keyboard.press("Control+End");
  await checker.page.keyboard.press("Shift+F8");
  await expect(checker.input.locator("[data-said]")).toContainText("line 20000");
  await checker.page.keyboard.type("-- typed");
  await expect(checker.editor).toContainText("-- typed");
});

test("a file that has changed since it was opened is to be opened again", async ({ checker }, info) => {
  const path = info.outputPath("large.sql");
  writeFileSync(path, LARGE);
  await checker.open();
  await checker.openFiles(path);
  await checker.verdict("ready-after-rewrite");
  writeFileSync(path, "SELECT 1;\n");
  await checker.paste("SELECT 2;\n");
  await checker.phase("refused");
  await expect(checker.input.locator("[data-refused]")).toContainText("large.sql cannot be checked: the file cannot be read");
});
