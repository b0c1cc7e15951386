// Archives of pg_dump: their schema is checked as the program checks it, and of the file little more is read.
import { spawnSync } from "node:child_process";
import { openSync, ftruncateSync, closeSync, copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, type Checker } from "../support/checker";
import { NATIVE, ROOT } from "../support/paths";

const ARCHIVES = join(ROOT, "tests/fixtures/archives");

/** Rules and objects of a report, in its order. Lines behind rows differ: the page does not know which tables have none. */
function found(report: string): string[] {
  const { findings } = JSON.parse(report) as { findings: { rule: string; object: string | null }[] };
  return findings.map(({ rule, object }) => `${rule} ${object ?? ""}`);
}

const ofProgram = (name: string): string =>
  spawnSync(NATIVE, ["check", "--no-config", "--format", "json", name], { cwd: ARCHIVES, encoding: "utf8" }).stdout;

async function ofPage(checker: Checker): Promise<string> {
  await checker.result.getByRole("tab", { name: "Download" }).click();
  const { bytes } = await checker.download(() => checker.result.getByRole("button", { name: "JSON" }).click());
  return bytes.toString();
}

for (const name of ["goods.dump", "goods.zstd.dump", "goods.tar"]) {
  test(`${name} is checked as the program checks it @both`, async ({ checker }) => {
    await checker.open();
    await checker.drop({ name, bytes: readFileSync(join(ARCHIVES, name)) });
    await checker.phase("checked");
    await expect(checker.input).toContainText("An archive of pg_dump");
    // No editor holds it, and nothing without its rows is taken for the dump.
    await expect(checker.input.locator(".editor-box")).toBeHidden();
    expect(found(await ofPage(checker))).toEqual(found(ofProgram(name)));
  });
}

test("rows that the page cannot unpack are left out, and the schema is checked", async ({ checker }) => {
  await checker.open();
  await checker.drop({ name: "goods.lz4.dump", bytes: readFileSync(join(ARCHIVES, "goods.lz4.dump")) });
  await checker.phase("checked");
  await expect(checker.result).toContainText("TSP-03");
});

test("an archive is rewritten on the command line", async ({ checker }) => {
  await checker.open();
  await checker.drop({ name: "goods.dump", bytes: readFileSync(join(ARCHIVES, "goods.dump")) });
  await checker.phase("checked");
  await checker.result.getByRole("tab", { name: "Download" }).click();
  await expect(checker.result.locator("[data-archive]")).toContainText("on the command line");
  await expect(checker.result.locator("[data-download]")).toHaveCount(0);
  await expect(checker.result).toContainText("tsmigrate rewrite goods.dump -o goods.dump.rewritten.sql");
});

test("an archive of 2 GB takes as long as its schema", async ({ checker }, info) => {
  const path = info.outputPath("large.dump");
  copyFileSync(join(ARCHIVES, "goods.dump"), path);
  const file = openSync(path, "r+");
  // Its rows, which nobody reads.
  ftruncateSync(file, 2 * 2 ** 30);
  closeSync(file);
  await checker.open();
  const began = Date.now();
  await checker.openFiles(path);
  await checker.phase("checked");
  const took = Date.now() - began;
  await expect(checker.input).toContainText("2.1 GB");
  // About a second; reading all of it takes tens.
  expect(took).toBeLessThan(20_000);
});
