// Every way in which a dump comes into the page, and what is said where one cannot be read.
import { gzipSync } from "node:zlib";
import { expect, test, type Checker } from "../support/checker";

const FAST = "SET default_tablespace = fast;\n";
/** FAST as zstd writes it: Node packs none. */
const ZSTD = Buffer.from("KLUv/QRY+QAAU0VUIGRlZmF1bHRfdGFibGVzcGFjZSA9IGZhc3Q7CnOiWAs=", "base64");
/** A frame of zstd that is for somebody else. */
const SKIPPED = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2]);

const tabs = (checker: Checker) => checker.input.getByRole("tab");
const refused = (checker: Checker) => checker.input.locator("[data-refused]");

test("roles and schema that are dropped together are restored roles first", async ({ checker }) => {
  await checker.open();
  await checker.drop(
    { name: "schema.sql", bytes: "CREATE TABLE public.t (a int);\nALTER TABLE public.t OWNER TO app;\n" },
    { name: "roles.sql", bytes: "CREATE ROLE app;\n" },
  );
  await checker.phase("checked");
  await expect(tabs(checker)).toHaveText(["1roles.sql", "2schema.sql"]);
  await expect(tabs(checker).nth(1)).toHaveAttribute("aria-selected", "true");
  await expect(checker.result).not.toContainText("these files do not create it");
});

test("files over the page are awaited with a sign", async ({ checker }) => {
  await checker.open();
  const move = (type: string): Promise<void> =>
    checker.page.evaluate((type) => {
      const data = new DataTransfer();
      data.items.add(new File(["x"], "x.sql"));
      document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
    }, type);
  await move("dragenter");
  await expect(checker.page.getByText("Drop dumps here")).toBeVisible();
  await move("dragleave");
  await expect(checker.page.getByText("Drop dumps here")).toBeHidden();
});

for (const [what, name, bytes] of [
  ["gzip", "dump.sql.gz", gzipSync(FAST)],
  ["several gzip members", "dump.sql.gz", Buffer.concat([gzipSync("SELECT 1;\n"), gzipSync(FAST)])],
  ["zstd", "dump.sql.zst", ZSTD],
  ["several zstd frames", "dump.sql.zst", Buffer.concat([ZSTD, SKIPPED, ZSTD])],
] as const) {
  test(`a dump in ${what} is unpacked @both`, async ({ checker }) => {
    await checker.open();
    await checker.openFiles({ name, bytes });
    await checker.verdict("ready-after-rewrite");
    await expect(checker.editor).toContainText("default_tablespace");
    await expect(checker.input.locator(".cm-place").first()).toHaveText("fast");
  });
}

const big = gzipSync(FAST.repeat(100) + Array.from({ length: 2000 }, (_, at) => `-- ${Math.sin(at)}`).join("\n"));
const damaged = Buffer.from(big);
damaged.fill(0x55, 1000, 1200);

/** It unpacks as well as the whole one: its checksum alone tells. */
const changed = Buffer.from(ZSTD);
changed[changed.indexOf("fast")] = "l".charCodeAt(0);

const tar = Buffer.alloc(1024);
tar.write("toc.dat");
tar.write("ustar", 257);

for (const [what, file, words, command] of [
  ["an archive that is cut off", { name: "dump.sql.gz", bytes: big.subarray(0, 5000) }, /cut off|ends too early/, "gzip -t dump.sql.gz"],
  ["a zstd file that is cut off", { name: "dump.zst", bytes: ZSTD.subarray(0, 20) }, "ends too early", "zstd -t dump.zst"],
  ["a damaged zstd file", { name: "dump.zst", bytes: changed }, "its checksum is not right", "zstd -t dump.zst"],
  ["a zstd file with something behind it", { name: "dump.zst", bytes: Buffer.concat([ZSTD, Buffer.from("something else")]) }, "damaged", "zstd -t dump.zst"],
  ["a damaged archive", { name: "dump.sql.gz", bytes: damaged }, "damaged", "gzip -t dump.sql.gz"],
  ["the head of an archive", { name: "shop.dump", bytes: "PGDMP\x01\x0f\x00\x04\x08" }, "the archive is cut off", "pg_restore --list shop.dump"],
  ["an archive of a newer version", { name: "shop.dump", bytes: "PGDMP\x01\x11\x00\x04\x08\x01" }, "version 1.17", "pg_restore --file=dump.sql shop.dump"],
  ["no archive, whose first bytes are one's", { name: "shop.dump", bytes: "PGDMP\x01\x10\x00\x04\x08\x07" }, "damaged", "pg_restore --list shop.dump"],
  [
    "the head of an archive under a name that a shell would split",
    { name: "my shop.dump", bytes: "PGDMP\x01\x0f\x00\x04\x08" },
    "the archive is cut off",
    "pg_restore --list 'my shop.dump'",
  ],
  ["a tar archive", { name: "shop.tar", bytes: tar }, "the archive is cut off", "pg_restore --list shop.tar"],
  ["UTF-16", { name: "shop.sql", bytes: Buffer.from("\ufeffSELECT 1;", "utf16le") }, "UTF-16", "iconv -f UTF-16 -t UTF-8 shop.sql > dump.sql"],
] as const) {
  test(`${what} gets the command that helps`, async ({ checker }) => {
    await checker.open();
    await checker.openFiles(file);
    await checker.phase("refused");
    await expect(refused(checker)).toContainText(file.name);
    await expect(refused(checker)).toContainText(words);
    await expect(refused(checker).locator("pre")).toHaveText(command);
    // Its bytes are no text for an editor.
    await expect(checker.input.locator(".editor-box")).toBeHidden();
  });
}

test("a command is copied", async ({ checker, context, form }) => {
  test.skip(form === "file", "a page from a disk has no clipboard to read");
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await checker.open();
  await checker.openFiles({ name: "shop.dump", bytes: "PGDMP\x01\x0f\x00\x04\x08" });
  await checker.phase("refused");
  await refused(checker).getByRole("button", { name: "Copy the command" }).click();
  await checker.said("Copied");
  expect(await checker.page.evaluate(() => navigator.clipboard.readText())).toBe("pg_restore --list shop.dump");
});

test("an empty file is said to be empty", async ({ checker }) => {
  await checker.open();
  await checker.openFiles({ name: "empty.sql", bytes: "" });
  await checker.phase("refused");
  await expect(refused(checker)).toContainText("the file is empty");
});

test("a dump that is cut off leads to the line where it stops making sense", async ({ checker }) => {
  await checker.open();
  await checker.paste("SELECT 1;\n".repeat(300) + "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1");
  await checker.phase("refused");
  await expect(refused(checker)).toContainText("cut off");
  await refused(checker).getByRole("button", { name: "Go to line 301" }).click();
  await expect(checker.editor.getByText("CREATE FUNCTION")).toBeInViewport();
});

for (const [what, text, words] of [
  ["a dump of MySQL", "-- MySQL dump 10.13  Distrib 8.0.36\n--\n/*!40101 SET NAMES utf8 */;\nCREATE TABLE `t` (\n  `id` int NOT NULL\n) ENGINE=InnoDB;\n", "a dump of MySQL or MariaDB"],
  ["tables of MySQL without the head", "CREATE TABLE `t` (\n  `id` int NOT NULL\n) ENGINE=InnoDB DEFAULT CHARSET=utf8;\n", "a dump of MySQL or MariaDB"],
  ["a script of SQL Server", "USE [shop]\r\nGO\r\nSET ANSI_NULLS ON\r\nGO\r\nCREATE TABLE [dbo].[t]([id] [int] NOT NULL)\r\nGO\r\n", "SQL Server (T-SQL)"],
  ["JSON", '{\n  "tables": [{"name": "t"}]\n}\n', "this is JSON"],
  ["a page of an error", "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head></html>\n", "a web page or XML"],
  ["a dump of SQLite", "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE t(a);\nCOMMIT;\n", "a dump of SQLite"],
] as const) {
  test(`${what} gets one clear box and no verdict`, async ({ checker }) => {
    await checker.open();
    await checker.paste(text);
    await checker.phase("refused");
    await expect(refused(checker)).toHaveCount(1);
    await expect(refused(checker)).toContainText(words);
    await expect(refused(checker)).toContainText("pg_dump --schema-only");
    await expect(checker.page.locator("[data-verdict], [data-no-dump]")).toHaveCount(0);
    expect(await checker.axe()).toEqual([]);
  });
}

test("a zip archive gets one clear box and no verdict", async ({ checker }) => {
  await checker.open();
  await checker.openFiles({ name: "shop.zip", bytes: Buffer.concat([Buffer.from("PK\x03\x04"), Buffer.alloc(100)]) });
  await checker.phase("refused");
  await expect(refused(checker)).toContainText("zip file");
  await expect(checker.page.locator("[data-verdict]")).toHaveCount(0);
});

test("a dump of PostgreSQL that only speaks of others is a dump", async ({ checker }) => {
  await checker.open();
  const words = "CREATE TABLE public.notes (t text);\nCOPY public.notes (t) FROM stdin;\n`id` int NOT NULL\n) ENGINE=InnoDB\nGO\n\\.\n";
  await checker.paste(`--\n-- PostgreSQL database dump\n--\n\n${words}`);
  await checker.phase("checked");
  await checker.paste('CREATE TABLE public."GO" (a int);\n-- MySQL is another database\n');
  await checker.phase("checked");
});

test("dumps are put in order and closed with the keyboard", async ({ checker }) => {
  await checker.open();
  await checker.drop({ name: "a.sql", bytes: "SELECT 1;\n" }, { name: "b.sql", bytes: "SELECT 2;\n" }, { name: "c.sql", bytes: "SELECT 3;\n" });
  await checker.phase("checked");
  await tabs(checker).first().click();
  await checker.page.keyboard.press("Alt+ArrowRight");
  await expect(tabs(checker)).toHaveText(["1b.sql", "2a.sql", "3c.sql"]);
  await expect(tabs(checker).nth(1)).toBeFocused();
  await checker.page.keyboard.press("End");
  await expect(checker.editor).toContainText("SELECT 3");
  await checker.page.keyboard.press("Delete");
  await expect(tabs(checker)).toHaveText(["1b.sql", "2a.sql"]);
  await expect(tabs(checker).nth(1)).toBeFocused();
  await checker.input.getByRole("button", { name: "Restore a.sql earlier" }).click();
  await expect(tabs(checker)).toHaveText(["1a.sql", "2b.sql"]);
});

test("two files of one name are told apart", async ({ checker }) => {
  await checker.open();
  await checker.drop({ name: "a.sql", bytes: FAST });
  await checker.phase("checked");
  await checker.drop({ name: "a.sql", bytes: "SELECT 2;\n" });
  await checker.phase("checked");
  await expect(tabs(checker)).toHaveText(["1a.sql", "22-a.sql"]);
  await tabs(checker).first().click();
  await expect(checker.input.locator(".cm-place")).toHaveText(["fast"]);
  // The command names a file that is on nobody's disk yet.
  await checker.result.getByRole("tab", { name: "Download" }).click();
  await expect(checker.result.getByText("Two files are called a.sql: give the second the name 2-a.sql first.")).toBeVisible();
});

test("what is pasted and typed while the module starts is checked as soon as it is there @both", async ({ checker }) => {
  await checker.hold("start");
  await checker.open();
  await checker.paste("CREATE TABLE public.t (a int);\n");
  await checker.phase("checking");
  await checker.paste(FAST);
  await expect(tabs(checker)).toHaveCount(2);
  await checker.release();
  await checker.verdict("ready-after-rewrite");
  await expect(checker.page.getByRole("button", { name: /^Target: PostgreSQL \d/ })).toBeEnabled();
  expect(await checker.phases()).not.toContain("crashed");
});

test("the page says how to make a dump, and the sample is one", async ({ checker }) => {
  await checker.open();
  await expect(checker.result).toContainText("pg_dumpall -d \"$SOURCE\" --roles-only --no-role-passwords > roles.sql");
  await expect(checker.result).toContainText("pg_dump -d \"$SOURCE\" --schema-only > schema.sql");
  await checker.openSample();
  await checker.verdict("needs-work");
  await expect(tabs(checker)).toHaveText(["1roles.sql", "2schema.sql"]);
});

test("bytes that are not UTF-8 stay as they are until somebody wants UTF-8", async ({ checker }) => {
  await checker.open();
  await checker.openFiles({ name: "latin1.sql", bytes: Buffer.from("CREATE TABLE caf\xe9 (a int) TABLESPACE fast;\n", "latin1") });
  await checker.phase("checked");
  await expect(checker.input).toContainText("bytes that are not UTF-8");
  await expect(checker.input.locator(".cm-place")).toHaveText(["\ufffd (", "TABLESPACE fast"]);
  await checker.type("x");
  await expect(checker.editor).not.toContainText("x (a");
  await expect(checker.editor).not.toContainText(";x");
  await checker.input.getByRole("button", { name: "Edit it as UTF-8" }).click();
  await checker.type("-- typed");
  await expect(checker.editor).toContainText("-- typed");
  await expect(checker.input).not.toContainText("bytes that are not UTF-8");
});

test("axe finds nothing where a dump is refused", async ({ checker }) => {
  await checker.open();
  await checker.drop({ name: "a.sql", bytes: "SELECT 1;\n" }, { name: "shop.dump", bytes: "PGDMP\x01\x0f\x00\x04\x08" });
  await checker.phase("refused");
  expect(await checker.axe()).toEqual([]);
});

test("the sample of a TimescaleDB source is ready after a rewrite, for a target of its version", async ({ checker }) => {
  await checker.open();
  await checker.page.getByRole("button", { name: /^Open the sample: .*TimescaleDB/ }).click();
  await checker.verdict("ready-after-rewrite");
  for (const rule of ["TS-01", "TS-02", "TS-10"]) await expect(checker.result.getByText(rule, { exact: true })).toBeVisible();
});
