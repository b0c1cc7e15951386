// Fixes on and off, and what can be taken away: it is what the command line makes.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test, type Checker } from "../support/checker";
import { FIXTURES, NATIVE } from "../support/paths";

const DUMP = `CREATE EXTENSION dblink;
CREATE TABLE public.t (a integer) TABLESPACE fast;
CREATE VIEW public.v AS SELECT * FROM dblink('dbname=x', 'SELECT 1') AS r(a integer);
CREATE TABLE public.u (b integer) TABLESPACE fast;
CREATE VIEW public.w AS SELECT * FROM dblink('dbname=y', 'SELECT 1') AS r(a integer);
`;

const group = (checker: Checker, rule: string, title?: string) =>
  checker.result.locator("section.group").filter({ has: checker.page.getByText(rule, { exact: true }) }).filter(title ? { hasText: title } : {});

/** The command that the page says does the same. */
async function command(checker: Checker): Promise<string> {
  await checker.result.getByRole("tab", { name: "Download" }).click();
  return (await checker.result.getByLabel("The command that does the same", { exact: true }).textContent()) ?? "";
}

/** Runs the page's own command beside the same files, and compares what it writes with what the page gives. */
async function same(checker: Checker, folder: string, files: readonly string[]): Promise<string> {
  await checker.phase("checked");
  const line = await command(checker);
  const config = checker.result.getByRole("button", { name: "Download tsmigrate.toml" });
  if (await config.isVisible()) {
    const { name, bytes } = await checker.download(() => config.click());
    writeFileSync(join(folder, name), bytes);
  }
  const env = { ...process.env, PATH: `${dirname(NATIVE)}:${process.env["PATH"]}` };
  const ran = spawnSync("sh", ["-c", line], { cwd: folder, env, encoding: "utf8" });
  expect(ran.status, `${line}\n${ran.stderr}`).toBeLessThan(2);
  for (const file of files) {
    const { name, bytes } = await checker.download(() => checker.result.locator(`[data-download="${file}"]`).click());
    const written = files.length > 1 ? join(folder, "rewritten", file) : join(folder, name);
    expect(existsSync(written), written).toBe(true);
    expect(bytes.equals(readFileSync(written)), `${file} is what ${line} writes`).toBe(true);
  }
  return line;
}

/** Opens files that are in a folder of their own, too. */
async function open(checker: Checker, folder: string, files: Record<string, string>): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  await checker.open();
  await checker.openFiles(...Object.keys(files).map((name) => join(folder, name)));
  await checker.result.locator("[data-verdict]").waitFor();
  await checker.phase("checked");
}

test("safe fixes are on and those that lose something off; one of a rule's can be off alone", async ({ checker }, info) => {
  const folder = info.outputPath();
  await open(checker, folder, { "my dump.sql": DUMP });
  const safe = group(checker, "TSP-04");
  await expect(safe.locator(".switch").first()).toBeChecked();
  await expect(group(checker, "DEP-01").locator(".switch").first()).not.toBeChecked();
  await safe.locator(".finding .switch").first().click();
  await expect(checker.result.getByRole("button", { name: "Reset to safe fixes" })).toBeVisible();
  await checker.phase("checked");
  await expect(checker.result.locator(".counts .open b")).not.toHaveText("2");
  await expect(checker.result.getByRole("button", { name: "Reset to safe fixes" })).toBeVisible();
  const line = await same(checker, folder, ["my dump.sql"]);
  expect(line).toBe("tsmigrate rewrite 'my dump.sql' -o 'my dump.rewritten.sql' --leave 'TSP-04@my dump.sql:2' --no-config");
  await checker.result.getByRole("tab", { name: "Findings" }).click();
  await checker.result.getByRole("button", { name: "Reset to safe fixes" }).click();
  expect(await same(checker, folder, ["my dump.sql"])).not.toContain("--leave");
});

test("a name with commas is no hindrance on the command line", async ({ checker }, info) => {
  const folder = info.outputPath();
  await open(checker, folder, { "a, b,c.sql": "SET default_tablespace = one;\nSET default_tablespace = two;\n" });
  await checker.findings.first().locator(".switch").click();
  await checker.verdict("needs-work");
  expect(await same(checker, folder, ["a, b,c.sql"])).toContain("--leave 'TSP-03@a, b,c.sql:1' --no-config");
});

test("the command of a compressed dump runs as it is", async ({ checker }, info) => {
  const folder = info.outputPath();
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "my dump.sql.gz"), gzipSync(DUMP));
  await checker.open();
  await checker.openFiles(join(folder, "my dump.sql.gz"));
  await checker.verdict("needs-work");
  await group(checker, "TSP-04").locator(".finding .switch").first().click();
  await checker.phase("checked");
  const line = await same(checker, folder, ["my dump.sql.gz"]);
  expect(line).toMatch(/^tsmigrate rewrite 'my dump.sql.gz' -o 'my dump.rewritten.sql' /);
  expect(line).toContain("--leave 'TSP-04@my dump.sql.gz:2'");
});

test("one fix of many that lose something is taken alone, and said to lose it", async ({ checker }, info) => {
  const folder = info.outputPath();
  await open(checker, folder, { "dump.sql": `CREATE TABLE public.t (a integer);\nCREATE OPERATOR FAMILY public.f USING btree;\nCREATE OPERATOR FAMILY public.g USING btree;\n` });
  const rows = group(checker, "SU-07").locator(".finding");
  await expect(rows).toHaveCount(2);
  // It goes over to the errors that the rewrite fixes: the first row is another one then.
  await rows.first().locator(".switch").click();
  await expect(checker.result.getByRole("button", { name: "Reset to safe fixes" })).toBeVisible();
  await checker.phase("checked");
  await expect(checker.result.locator(".lost")).toContainText("public.f");
  await expect(checker.result.locator(".counts .open b")).toHaveText("1");
  const line = await same(checker, folder, ["dump.sql"]);
  expect(line).toContain("--accept SU-07 --leave SU-07@dump.sql:3");
});

test("accepting a rule takes its dependents with it, and the list stays on the screen meanwhile", async ({ checker }, info) => {
  const folder = info.outputPath();
  await open(checker, folder, { "dump.sql": DUMP });
  await group(checker, "DEP-01").locator(".switch").first().click();
  await checker.verdict("ready-after-rewrite");
  await expect(checker.result.locator(".lost")).toContainText("view public.v");
  expect(await same(checker, folder, ["dump.sql"])).toContain("--accept EXT-01 --no-config");
  await checker.result.getByLabel(/^\s*Delete/).check();
  expect(await same(checker, folder, ["dump.sql"])).toContain("--delete-removed");
});

test("several inputs are rewritten together as the command does", async ({ checker }, info) => {
  const folder = info.outputPath();
  const files = { "roles.sql": readFileSync(join(FIXTURES, "cli/roles.sql"), "utf8"), "schema.sql": readFileSync(join(FIXTURES, "cli/schema.sql"), "utf8") };
  await open(checker, folder, files);
  const line = await same(checker, folder, Object.keys(files));
  expect(line).toMatch(/^tsmigrate rewrite roles.sql schema.sql --output-dir rewritten/);
});

test("a table is chosen as hypertable, with its interval and its script", async ({ checker }, info) => {
  const folder = info.outputPath();
  await open(checker, folder, { "plant.sql": readFileSync(join(FIXTURES, "hypertables/plant.sql"), "utf8") });
  await checker.result.getByRole("tab", { name: /Hypertables/ }).click();
  const card = (name: string) => checker.result.locator(".hypertables .card").filter({ hasText: name }).first();
  await expect(card("plant.readings")).toContainText("score 9");
  await expect(card("plant.readings")).toContainText("+2 NOT NULL time column");
  await card("plant.readings").getByRole("checkbox").check();
  await checker.phase("checked");
  await expect(card("plant.readings")).toContainText("restored as a hypertable");
  await card("plant.readings").getByRole("textbox").fill("2 days");
  await card("plant.readings").getByRole("textbox").press("Enter");
  await checker.phase("checked");
  // What something stands in the way of stays chosen, and says so.
  await card("plant.events").getByRole("checkbox").check();
  await expect(checker.result.locator(".card.refused")).toContainText("plant.events:occurred_at");
  await expect(checker.result.locator(".card.refused")).toContainText("It cannot be one yet");
  await checker.phase("checked");
  const line = await same(checker, folder, ["plant.sql"]);
  expect(line).toContain(`--hypertable 'plant.readings:"time":2 days'`);
  const script = checker.result.locator("details.script").filter({ hasText: "convert-to-hypertables.sql" });
  await script.locator("summary").click();
  const { name, bytes } = await checker.download(() => script.getByRole("button", { name: /^Download/ }).click());
  expect(name).toBe("convert-to-hypertables.sql");
  expect(bytes.toString().trimEnd()).toBe(readFileSync(join(folder, "scripts", name), "utf8").trimEnd());
});

test("a version that is refused takes nothing back that was chosen before it", async ({ checker }, info) => {
  await open(checker, info.outputPath(), { "dump.sql": DUMP });
  const { page } = checker;
  const settings = page.getByRole("dialog", { name: "Target and settings" });
  await page.getByRole("button", { name: /^Target/ }).click();
  // All in one turn of the page: no check comes in between.
  await settings.evaluate((dialog) => {
    const type = (id: string, text: string): void => {
      const field = dialog.querySelector<HTMLInputElement>(id);
      if (!field) throw new Error(id);
      field.value = text;
      field.dispatchEvent(new InputEvent("input", { bubbles: true }));
      field.dispatchEvent(new Event("change", { bubbles: true }));
    };
    type("#target-refuse", "hstore");
    type("#target-timescaledb", "not a version");
  });
  await expect(settings.getByRole("alert")).toContainText("not a version");
  await expect(settings.getByRole("button", { name: "Take hstore out" })).toBeVisible();
  await expect(settings.getByLabel("TimescaleDB", { exact: true })).toHaveValue("");
});

test("the target is chosen: version, extensions, TimescaleDB", async ({ checker }, info) => {
  const folder = info.outputPath();
  await open(checker, folder, { "dump.sql": `${DUMP}CREATE EXTENSION hstore;\n` });
  const { page, result } = checker;
  const settings = page.getByRole("dialog", { name: "Target and settings" });
  await page.getByRole("button", { name: /^Target/ }).click();
  await settings.getByLabel("PostgreSQL", { exact: true }).selectOption("16");
  await settings.getByLabel("The service takes these too").fill("dblink");
  await settings.getByLabel("The service takes these too").press("Enter");
  await settings.getByLabel("It refuses these").fill("hstore");
  await settings.getByLabel("It refuses these").press("Enter");
  await settings.getByLabel("TimescaleDB", { exact: true }).fill("not a version");
  await settings.getByLabel("TimescaleDB", { exact: true }).press("Enter");
  await expect(settings.getByRole("alert")).toContainText("not a version");
  await settings.getByLabel("TimescaleDB", { exact: true }).fill("2.19.3");
  await settings.getByLabel("TimescaleDB", { exact: true }).press("Enter");
  await expect(settings.getByRole("alert")).toHaveCount(0);
  expect(await checker.axe()).toEqual([]);
  await page.keyboard.press("Escape");
  await expect(settings).toHaveCount(0);
  await checker.phase("checked");
  await expect(result.locator(".checked")).toContainText("PostgreSQL 16");
  await expect(result.locator(".checked")).toContainText("with dblink, without hstore");
  await expect(result.locator(".lost")).not.toContainText("dblink");
  await expect(result.locator(".lost")).toContainText("extension hstore");
  const line = await same(checker, folder, ["dump.sql"]);
  expect(line).toContain("--target-version 16 --target-timescaledb 2.19.3 --config tsmigrate.toml");
});

test("what a rule counts as is chosen, said, and taken back", async ({ checker }, info) => {
  const folder = info.outputPath();
  await open(checker, folder, { "dump.sql": "CREATE TABLE public.t (a integer) TABLESPACE fast;\nCREATE UNLOGGED TABLE public.w (c integer);\n" });
  const { result } = checker;
  const changed = result.getByRole("group", { name: "Severities changed" });
  await expect(changed).toHaveCount(0);
  await result.getByLabel("TSP-04 counts as").selectOption("note");
  await checker.verdict("ready");
  await expect(result.locator("h3.part.solved")).toHaveCount(0);
  await expect(changed).toHaveText("TSP-04: note ×");
  expect(await checker.axe()).toEqual([]);
  expect(await same(checker, folder, ["dump.sql"])).toContain("--config tsmigrate.toml");
  expect(readFileSync(join(folder, "tsmigrate.toml"), "utf8")).toBe('[severity]\n"TSP-04" = "note"\n');
  await result.getByRole("tab", { name: "Findings" }).click();
  // What is off is seen nowhere but here.
  await result.getByLabel("TSP-04 counts as").selectOption("off");
  await checker.phase("checked");
  await expect(group(checker, "TSP-04")).toHaveCount(0);
  await result.getByLabel("Group by").selectOption("severity");
  await checker.findings.first().locator("button.row").click();
  await expect(result.locator(".detail").getByLabel(/ counts as$/)).toBeVisible();
  await changed.getByRole("button", { name: "Let TSP-04 count as it says itself" }).click();
  await checker.verdict("ready-after-rewrite");
  await expect(changed).toHaveCount(0);
});

test("what cannot be off is said to stay", async ({ checker }) => {
  await checker.open();
  await checker.paste("CREATE TABL public.t (a integer);\n");
  await checker.phase("checked");
  await checker.result.getByLabel("IN-10 counts as").selectOption("off");
  await expect(checker.result.getByRole("alert")).toContainText("IN-10");
  await checker.verdict("needs-work");
  await expect(checker.result.getByLabel("IN-10 counts as")).toHaveValue("");
});

test("of a dump of several databases, one is chosen", async ({ checker }, info) => {
  const folder = info.outputPath();
  const part = (name: string): string => `CREATE DATABASE ${name};\n\\connect ${name}\nCREATE TABLE public.${name}_t (a integer);\n`;
  await open(checker, folder, { "all.sql": part("shop") + part("blog") });
  await checker.page.getByRole("button", { name: /^Target/ }).click();
  await checker.page.getByLabel("Database to keep").selectOption("blog");
  await checker.page.keyboard.press("Escape");
  await checker.phase("checked");
  expect(await same(checker, folder, ["all.sql"])).toContain("--database blog");
});

test("a dump of several databases shows what becomes of each, and the command that keeps them all", async ({ checker }, info) => {
  const folder = info.outputPath();
  const part = (name: string, more = ""): string => `\\connect ${name}\nCREATE TABLE public.${name}_t (a integer);\n${more}`;
  const publish = "CREATE PUBLICATION p;\n";
  await open(checker, folder, { "all.sql": part("shop", `CREATE SCHEMA audit;\nCREATE TABLE audit.log (a integer);\n${publish}`) + part("blog", publish) });
  await checker.verdict("needs-work");
  const table = checker.result.getByRole("region", { name: "Databases" }).getByRole("row");
  await expect(table).toHaveText([/^Database/, /^shop.*2 objects, kept.*audit → shop_audit, public → shop.*publication p of blog$/, /^blog.*1 object, left out.*public → blog.*publication p of shop$/]);
  const command = (await checker.result.locator(".databases .keep-all code").textContent()) ?? "";
  expect(command).toContain("--into-schema shop=shop --into-schema blog=blog");
  // What meets is left to decide: it ends with 1.
  spawnSync("sh", ["-c", command.replace(/^tsmigrate/, NATIVE)], { cwd: folder });
  expect(readFileSync(join(folder, "all.rewritten.sql"), "utf8")).toContain("CREATE TABLE blog.blog_t (a integer);");
  await checker.result.getByRole("button", { name: "Keep blog instead" }).click();
  await checker.phase("checked");
  await expect(table.nth(2)).toContainText("1 object, kept");
});

test("the report is downloaded in each form, as the command line writes it", async ({ checker }, info) => {
  const folder = info.outputPath();
  await open(checker, folder, { "dump.sql": DUMP });
  await checker.result.getByRole("tab", { name: "Download" }).click();
  for (const [title, format, name] of [
    ["JSON", "json", "dump.report.json"],
    ["SARIF", "sarif", "dump.report.sarif"],
    ["Markdown", "markdown", "dump.report.md"],
    ["HTML", "html", "dump.report.html"],
  ] as const) {
    const file = await checker.download(() => checker.result.getByRole("button", { name: title, exact: true }).click());
    expect(file.name).toBe(name);
    if (format === "json" || format === "sarif") {
      let said = "";
      try {
        said = execFileSync(NATIVE, ["check", "--no-config", "--format", format, "dump.sql"], { cwd: folder, encoding: "utf8" });
      } catch (error) {
        said = (error as { stdout: string }).stdout;
      }
      expect(JSON.parse(file.bytes.toString())).toEqual(JSON.parse(said));
    } else {
      expect(file.bytes.toString()).toContain("Needs ");
    }
  }
});

test("where nothing is to be rewritten, nothing is said to change, and no download is the main thing", async ({ checker }) => {
  await checker.open();
  await checker.paste("CREATE TABLE public.t (a int);\n");
  await checker.verdict("ready");
  await checker.result.getByRole("tab", { name: "Download" }).click();
  await expect(checker.result.locator(".take")).toContainText("The rewrite changes nothing in it");
  await expect(checker.result.getByRole("button", { name: "See what changes" })).toHaveCount(0);
  await expect(checker.result.locator(".take .main")).toHaveCount(0);
});

test("the rewrite is shown beside the dump, and a change names its rule", async ({ checker }) => {
  await checker.open();
  await checker.paste(DUMP.replaceAll("\n", "\r\n"));
  await checker.verdict("needs-work");
  await checker.result.getByRole("tab", { name: "Rewrite" }).click();
  const { result, page } = checker;
  await expect(result.locator(".cm-merge-a")).toContainText("CREATE TABLE public.t (a integer) TABLESPACE fast;");
  await expect(result.locator(".cm-merge-b .cm-line").filter({ hasText: "public.t" })).toHaveText(/CREATE TABLE public.t \(a integer\);/);
  await expect(result.locator(".cm-merge-b")).toContainText("-- tsmigrate EXT-01:");
  // Exactly what was planned is marked, and no line that stays.
  await expect(result.locator(".cm-merge-a .cm-changedText").filter({ hasText: "TABLESPACE fast" }).first()).toHaveText(" TABLESPACE fast");
  await expect(result.locator(".cm-merge-a .cm-changedLine").filter({ hasText: "VIEW" })).toHaveCount(0);
  await result.getByLabel("Delete what is removed").check();
  await expect(result.locator(".cm-merge-b")).not.toContainText("-- tsmigrate");
  expect(await checker.axe()).toEqual([]);
  await page.locator(".rule-mark", { hasText: "TSP-04" }).first().click();
  await expect(result.locator(".finding.open")).toContainText("public.t");
  // On a phone, one below the other.
  await page.setViewportSize({ width: 390, height: 844 });
  await result.getByRole("tab", { name: "Rewrite" }).click();
  await expect(result.locator(".cm-mergeView")).toHaveCount(0);
  await expect(result.locator(".cm-deletedChunk").first()).toContainText("CREATE EXTENSION dblink");
});

test("a text that is too large for a diff, or not UTF-8, says why, and shows its changes one by one", async ({ checker }) => {
  const { result } = checker;
  const table = (at: number): string => `CREATE TABLE public.t${at} (a integer) TABLESPACE fast;\n`;
  const many = Array.from({ length: 300 }, (_, at) => table(at)).join("");
  await checker.open();
  await checker.openFiles({ name: "large.sql", bytes: `${many}-- ${"x".repeat(5 << 20)}\n` });
  await checker.verdict("ready-after-rewrite");
  await result.getByRole("tab", { name: "Rewrite" }).click();
  await expect(result).toContainText("large.sql has 5.2 MB: too much to be shown as a whole. The changes one by one:");
  await expect(result.locator(".changes li")).toHaveCount(200);
  await expect(result).toContainText("These are the first 200 of 300 changes: download the dump to see them all.");
  await checker.open();
  await checker.openFiles({ name: "latin1.sql", bytes: Buffer.from(`-- caf\xe9\n${table(1)}`, "latin1") });
  await checker.verdict("ready-after-rewrite");
  await result.getByRole("tab", { name: "Rewrite" }).click();
  await expect(result).toContainText("latin1.sql is not all UTF-8: it is rewritten byte by byte, and not shown as a whole. The changes one by one:");
  await expect(result.locator(".changes li")).toHaveCount(1);
});

test("the command is copied", async ({ checker }) => {
  await checker.page.context().grantPermissions(["clipboard-read", "clipboard-write"]).catch(() => undefined);
  await checker.open();
  await checker.paste(DUMP);
  await checker.verdict("needs-work");
  const line = await command(checker);
  await checker.result.getByRole("button", { name: "Copy: The command that does the same" }).click();
  await checker.said("Copied");
  await expect.poll(() => checker.page.evaluate(() => navigator.clipboard.readText())).toBe(line);
});

