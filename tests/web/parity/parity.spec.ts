// The module says what the native program says, byte for byte: reports, refusals and rewritten dumps.
import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { expect, test } from "@playwright/test";
import { check, instance, rewritten, type Input, type Module, type Refusal, type Settings } from "../support/module";
import { nativeCheck, nativeRewrite, withFiles } from "../support/native";
import { FIXTURES, NATIVE, SHARED, shown, sqlFiles } from "../support/paths";

/** As the page feeds a file. */
const PIECE = 1 << 16;

let module: Module;
test.beforeAll(async () => {
  if (!existsSync(NATIVE)) throw new Error(`${NATIVE} is not there: cargo build -p tsmigrate`);
  module = await instance();
});

/** Equal, or the place where they part: a report is too long to be printed whole. */
function same(ours: Uint8Array, native: Uint8Array, what: string): void {
  const [a, b] = [Buffer.from(ours), Buffer.from(native)];
  if (a.equals(b)) return;
  let at = 0;
  while (a[at] === b[at]) at++;
  const around = (bytes: Buffer): string => bytes.subarray(Math.max(0, at - 200), at + 200).toString();
  expect(around(a), `${what} parts at byte ${at}`).toBe(around(b));
}

/** A report without the steps that the command line says next: files and commands, which the page has its own words for. */
function withoutNext(report: Buffer): Buffer {
  const text = report
    .toString("latin1")
    .replace(/<section aria-labelledby="next-title">.*?<\/section>\n/s, "")
    .replace(/\n### Next\n.*?(?=\n### |\n<details|\n<sub>)/s, "");
  return Buffer.from(text, "latin1");
}

async function compare(inputs: Input[], settings: Settings = {}, removing = [false]): Promise<void> {
  await withFiles(inputs, async (folder) => {
    const native = await nativeCheck(folder, inputs, settings, ["sarif", "html", "markdown"]);
    if (native.code === 2) {
      let refusal: Refusal | undefined;
      try {
        check(module, inputs, settings, PIECE);
      } catch (error) {
        refusal = JSON.parse((error as Error).message) as Refusal;
      }
      expect(refusal, native.said).toBeDefined();
      expect(native.said).toContain(refusal?.what);
      return;
    }
    const checked = check(module, inputs, settings, PIECE);
    same(checked.write("json"), native.output, "the JSON");
    for (const [format, report] of native.reports) {
      const text = withoutNext(report);
      // A comment on a pull request has its length: the next steps leave less room for findings.
      const isCut = format === "markdown" && /^… and .* more findings\.$/m.test(report.toString());
      if (!isCut) same(checked.write(format), text, format);
    }
    expect(JSON.parse(checked.view())).toEqual(JSON.parse(native.output.toString()));
    for (const remove of removing) {
      const outputs = await nativeRewrite(folder, inputs, settings, remove);
      inputs.forEach(({ bytes }, at) => same(rewritten(checked, at, bytes, remove, PIECE), outputs[at] ?? Buffer.of(), `the rewritten input ${at}`));
    }
    checked.free();
  });
}

const inputOf = (path: string): Input => ({ name: basename(path), bytes: readFileSync(path) });

/** What a rule's fixture wants to be judged with: lines `-- KEY: VALUE`, see tests/src/fixture.rs. */
function wanted({ bytes }: Input): Settings {
  const settings: Settings = {};
  for (const [, key, value = ""] of Buffer.from(bytes).toString("latin1").matchAll(/^-- ([a-z]+): (.*)$/gm)) {
    if (key === "target") settings.targetVersion = Number(value);
    if (key === "accept") settings.accept = value.split(" ");
    if (key === "database") settings.database = value;
    if (key === "timescaledb") settings.timescaledb = value;
    if (key === "convert") settings.hypertables = [value];
  }
  return settings;
}

test.describe.configure({ mode: "parallel" });

// One fixture of each rule, as both are one library: what can differ is how it is fed and what it is told.
// The same holds of dumps of others. PARITY=all compares every fixture, and dumps of any size with all settings.
const ALL = process.env.PARITY === "all";
const firstOfFolder = (path: string, at: number, all: string[]): boolean => dirname(path) !== dirname(all[at - 1] ?? "");
for (const path of sqlFiles(FIXTURES).filter((...given) => ALL || firstOfFolder(...given))) {
  test(shown(path), async () => {
    const input = inputOf(path);
    await compare([input], wanted(input));
  });
}

for (const folder of ["dumps", "corpus"]) {
  const files = sqlFiles(`${SHARED}/${folder}`);
  if (files.length === 0) test.skip(`../shared/${folder}: it is not here`, () => {});
  for (const path of files) {
    if (ALL || statSync(path).size < 300_000) test(shown(path), () => compare([inputOf(path)], {}, [false, true]));
    else test.skip(`${shown(path)}: it is larger than 300 kB, PARITY=all compares it`, () => {});
  }
}

test.describe("with settings", () => {
  const files = [...sqlFiles(`${FIXTURES}/dumps`), ...sqlFiles(`${FIXTURES}/migrate`), ...(ALL ? sqlFiles(`${SHARED}/dumps`) : [])];
  const all: [string, Settings][] = [
    ["PostgreSQL 15", { targetVersion: 15 }],
    ["PostgreSQL 18", { targetVersion: 18 }],
    ["EXT-01 accepted", { accept: ["EXT-01"] }],
    ["TSP-03 and TSP-04 left", { leave: ["TSP-03", "TSP-04"] }],
    ["an old TimescaleDB", { timescaledb: "2.13.0" }],
  ];
  for (const [what, settings] of all) {
    test(`${what}: ${files.length} dumps`, async () => {
      for (const path of files) await compare([inputOf(path)], settings);
    });
  }
});

test("roles and schema together", async () => {
  const pairs = [
    [`${FIXTURES}/cli/roles.sql`, `${FIXTURES}/cli/schema.sql`],
    [`${FIXTURES}/roles/roles17.sql`, `${FIXTURES}/dumps/database-17.sql`],
  ];
  for (const pair of pairs) await compare(pair.map(inputOf), {});
});

test("names and bytes that are hard to write", async () => {
  const sql = (text: string, name = "dump.sql"): Input => ({ name, bytes: Buffer.from(text) });
  await compare([sql("CREATE TABLE public.t (a int) TABLESPACE fast;\n", "größe \"a\" & <b>.sql")]);
  await compare([sql("\ufeffCREATE TABLE public.\"größe\" (a int)\r\n TABLESPACE fast;\r\n")]);
  await compare([{ name: "latin1.sql", bytes: Buffer.from("COMMENT ON TABLE t IS '\xfc';\nCREATE TABLE \xfc (a int) TABLESPACE fast;\n", "latin1") }]);
  // Archives are the program's alone: the page has a box of its own for them.
  for (const text of ["", "-- nothing\n", "SELECT 'cut", "\x1f\x8b\x08"]) await compare([sql(text)]);
});
