// The package's functions, in Node.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { expect, test } from "@playwright/test";
import type * as Package from "../../../web/package/dist/index";
import { check as checkModule, instance } from "../support/module";
import { FIXTURES, fixture, ROOT } from "../support/paths";

const TABLESPACE = "CREATE TABLE public.t (a int) TABLESPACE fast;\n";
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

let tsmigrate: typeof Package;
let analyzer: Package.Analyzer;
test.beforeAll(async () => {
  tsmigrate = (await import(pathToFileURL(join(ROOT, "web/package/dist/node.mjs")).href)) as typeof Package;
  analyzer = await tsmigrate.load();
});

test("a check has a verdict, decisions, findings and a rewrite", () => {
  const result = analyzer.check([{ name: "schema.sql", text: `${TABLESPACE}ALTER TABLE public.t OWNER TO shop;\n` }]);
  expect(result.verdict).toBe("needs-work");
  expect(result.decisions).toMatchObject([{ number: 1, rules: { "OWN-01": 1 } }]);
  expect(result.findings.map(({ rule, input, decision }) => [rule, input, decision])).toEqual([["TSP-04", 0, null], ["OWN-01", 0, 1]]);
  expect(result.rewrite(0)).toBe("CREATE TABLE public.t (a int);\nALTER TABLE public.t OWNER TO shop;\n");
  result.free();
  expect(result.verdict).toBe("needs-work");
  expect(() => result.rewrite(0)).toThrow(tsmigrate.OptionsError);
});

test("places are in UTF-16, as strings and editors count", () => {
  const text = `-- größe 🐘\r\nCREATE TABLE public."🐘" (a int)\n  TABLESPACE fast;\n`;
  for (const input of [{ name: "schema.sql", text }, { name: "schema.sql", bytes: utf8(text) }]) {
    const result = analyzer.check([input]);
    const [finding] = result.findings;
    const { start, end } = finding!.range!;
    expect(text.slice(start.offset, end.offset)).toBe("TABLESPACE fast");
    expect([start.line, start.column, end.line, end.column]).toEqual([3, 3, 3, 18]);
    expect(result.range(0, finding!.span)).toEqual(finding!.range);
  }
});

test("changes are the rewrite, for an editor", () => {
  const text = `-- größe 🐘\n${TABLESPACE}CREATE TABLE public.ü (a int) TABLESPACE fast;\n`;
  const result = analyzer.check([{ name: "schema.sql", text }]);
  const edited = result.changes(0)!.reduceRight((text, { start, end, text: put }) => text.slice(0, start.offset) + (put ?? "") + text.slice(end.offset), text);
  expect(edited).toBe(result.rewrite(0));
});

test("a large sample has the report of the module, and its rewrite's bytes", async () => {
  const bytes = fixture("dumps/data-18.sql");
  const result = analyzer.check([{ name: "dump.sql", bytes }]);
  const module = checkModule(await instance(), [{ name: "dump.sql", bytes }]);
  for (const format of ["json", "sarif", "html", "markdown", "github"] as const) {
    expect(result.format(format), format).toBe(new TextDecoder().decode(module.write(format)));
  }
  const again = await analyzer.checkStreams([{ path: join(FIXTURES, "dumps/data-18.sql"), name: "dump.sql" }]);
  expect(again.format("json")).toBe(result.format("json"));
  const parts: Uint8Array[] = [];
  for await (const part of again.rewriteStream(0)) parts.push(part);
  expect(Buffer.concat(parts).equals(result.rewriteBytes(0))).toBe(true);
});

test("every kind of stream is read, and cut anywhere", async () => {
  const bytes = utf8(`-- größe 🐘\n${TABLESPACE}`);
  const wanted = "-- größe 🐘\nCREATE TABLE public.t (a int);\n";
  const single = (): Uint8Array[] => Array.from(bytes, (byte) => Uint8Array.of(byte));
  const name = "schema.sql";
  const web = (): ReadableStream<Uint8Array> => new Blob([bytes as BlobPart]).stream();
  for (const input of [{ name, stream: web }, { name, stream: () => Readable.from(single()) }, { name, stream: single() }, { name, blob: new Blob([bytes as BlobPart]) }]) {
    const result = await analyzer.checkStreams([input]);
    const parts: Uint8Array[] = [];
    for await (const part of result.rewriteStream(0, "stream" in input && typeof input.stream !== "function" ? { stream: single() } : {})) parts.push(part);
    expect(Buffer.concat(parts).toString()).toBe(wanted);
    expect(result.findings[0]!.range).toBeNull();
  }
  const once = await analyzer.checkStreams([{ name, stream: web() }]);
  await expect(once.rewriteStream(0).next()).rejects.toThrow(tsmigrate.OptionsError);
});

test("what cannot be checked is an error of a class of its own", async () => {
  const thrown = (act: () => unknown): unknown => {
    try {
      act();
    } catch (error) {
      return error;
    }
    throw new Error("nothing was thrown");
  };
  const { InputError, OptionsError, TsmigrateError } = tsmigrate;
  const archive = thrown(() => analyzer.check([{ name: "dump.sql", text: "PGDMP\u0001" }]));
  expect(archive).toBeInstanceOf(InputError);
  expect(archive).toBeInstanceOf(TsmigrateError);
  expect(archive).toMatchObject({ name: "InputError", input: "dump.sql", what: /custom format/, next: /pg_restore/, line: null });
  const options = { acept: ["EXT-01"] } as Package.CheckOptions;
  for (const act of [
    () => analyzer.check([]),
    () => analyzer.check([{ name: "a.sql", text: TABLESPACE }, { name: "a.sql", text: TABLESPACE }]),
    () => analyzer.check([{ name: "a.sql", text: TABLESPACE }], options),
    () => analyzer.check([{ name: "a.sql", text: TABLESPACE }], { accept: ["NO-99"] }),
    () => analyzer.check([{ name: "a.sql", text: TABLESPACE }], { targetVersion: 12 }),
    () => analyzer.check([{ name: "a.sql" } as Package.Input]),
  ]) {
    expect(thrown(act)).toBeInstanceOf(OptionsError);
  }
  await expect(analyzer.checkStreams([{ path: "/none/such.sql" }])).rejects.toThrow(InputError);
  await expect(tsmigrate.load({ module: new Uint8Array(8) })).rejects.toThrow(tsmigrate.LoadError);
});

test("a signal ends a check of streams, and the analyzer goes on", async () => {
  const controller = new AbortController();
  async function* endless(): AsyncGenerator<string> {
    for (let at = 0; ; at++) {
      yield TABLESPACE;
      if (at === 10) controller.abort(new Error("enough"));
    }
  }
  await expect(analyzer.checkStreams([{ name: "a.sql", stream: endless() }], { signal: controller.signal })).rejects.toThrow("enough");
  expect(analyzer.check([{ name: "a.sql", text: TABLESPACE }]).verdict).toBe("ready-after-rewrite");
});

test("a full stack is a CrashError, and the next check starts afresh", () => {
  const before = analyzer.check([{ name: "a.sql", text: TABLESPACE }]);
  const nested = `SELECT ${"(1 + ".repeat(200)}1${")".repeat(200)};\n`;
  let crash: unknown = null;
  const deep = (): void => {
    try {
      deep();
    } catch {
      if (crash) return;
      try {
        analyzer.check([{ name: "a.sql", text: nested }]);
      } catch (error) {
        if (!(error instanceof tsmigrate.CrashError)) throw error;
        crash = error;
      }
    }
  };
  deep();
  expect(crash).toBeInstanceOf(tsmigrate.CrashError);
  expect(() => before.rewrite(0)).toThrow(tsmigrate.CrashError);
  expect(analyzer.check([{ name: "a.sql", text: TABLESPACE }]).verdict).toBe("ready-after-rewrite");
});

test("the kind of a file is told by its beginning, and its text as ranges count in it", () => {
  expect(analyzer.refusal({ name: "dump.sql", text: TABLESPACE })).toBeNull();
  // Cut anywhere, it is text all the same.
  expect(analyzer.refusal({ name: "dump.sql", text: "CREATE FUNCTION f() RETURNS int AS $$ SELECT" })).toBeNull();
  const archive = analyzer.refusal({ name: "dump.sql", bytes: utf8("PGDMP\u0001") });
  expect(archive).toBeInstanceOf(tsmigrate.InputError);
  expect(archive).toMatchObject({ input: "dump.sql", what: /custom format/ });
  const bytes = Uint8Array.of(...utf8("-- "), 0xe9, 0xff, ...utf8(`\n${TABLESPACE}`));
  expect(analyzer.decode(bytes)).toBe(`-- \ufffd\ufffd\n${TABLESPACE}`);
});

test("the verdict has the words of the command line", () => {
  const { words } = analyzer.check([{ name: "schema.sql", text: `${TABLESPACE}ALTER TABLE public.t OWNER TO shop;\n` }]);
  expect(words).toMatchObject({ sign: "✗", title: "Needs 1 decision", sentence: /^1 error remains/ });
  expect(words.checked[0]).toEqual(["schema.sql", "83 B, 2 statements"]);
});

test("the browser checker has nothing of the module but this package", () => {
  const folder = join(ROOT, "web/page");
  const sources = readdirSync(folder, { recursive: true }).map(String).filter((name) => /\.tsx?$/.test(name) && !name.startsWith(".built"));
  const importing = (what: RegExp): string[] => sources.filter((name) => what.test(readFileSync(join(folder, name), "utf8")));
  expect(importing(/module\/tsmigrate_web/)).toEqual([]);
  expect(importing(/^import \{ Analyzer,.*package-src\/src\/api"/m)).toEqual([join("engine", "worker.ts")]);
});

test("what there is to choose from is known", () => {
  expect(analyzer.rules().find(({ id }) => id === "TSP-03")).toMatchObject({ name: "default-tablespace", why: /tablespace/, before: /SET default_tablespace/ });
  expect(analyzer.targets.versions).toContain(analyzer.targets.version);
  expect(analyzer.targets.extensionLists.at(-1)?.extensions).toContain("timescaledb");
  const text = "CREATE EXTENSION mine;\n";
  expect(analyzer.check([{ name: "a.sql", text }]).verdict).not.toBe("ready");
  expect(analyzer.check([{ name: "a.sql", text }], { addExtensions: ["mine"], cache: true, levels: { "EXT-05": "off" } }).verdict).toBe("ready");
  const { findings, report } = analyzer.check([{ name: "a.sql", text: TABLESPACE.repeat(9) }], { maxFindings: 2 });
  expect([findings.length, report.counts.error]).toEqual([2, 17]);
});
