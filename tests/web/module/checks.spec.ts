// The module by itself, in Node: what it finds, rewrites and refuses.
import { expect, test } from "@playwright/test";
import { check, instance, refusal, rewritten, view, type Input, type Module, type View } from "../support/module";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

let module: Module;
test.beforeAll(async () => {
  module = await instance();
});

test("a finding has its rule, its place and the verdict", () => {
  const report = view(module, "SET lock_timeout = 0;\nCREATE TABLE public.t (a int) TABLESPACE fast;\n");
  expect(report.verdict).toBe("ready-after-rewrite");
  expect(report.findings).toMatchObject([{ rule: "TSP-04", severity: "error", file: "dump.sql", line: 2 }]);
});

test("a dump without anything to find is ready", () => {
  expect(view(module, "CREATE TABLE public.t (a int);\n")).toMatchObject({ verdict: "ready", findings: [] });
});

test("a rewrite changes what it names and no other byte, however the input is cut", () => {
  const sql = utf8("CREATE TABLE public.\"größe\" (\n  a int -- 🐘\n)\n  TABLESPACE fast;\r\nCREATE TABLE public.u (b int);\n");
  const wanted = "CREATE TABLE public.\"größe\" (\n  a int -- 🐘\n);\r\nCREATE TABLE public.u (b int);\n";
  for (const piece of [1, 7, Infinity]) {
    const checked = check(module, [{ name: "dump.sql", bytes: sql }], {}, piece);
    expect(rewritten(checked, 0, sql, false, piece).toString()).toBe(wanted);
    checked.free();
  }
});

test("the rewritten dump is ready", () => {
  const sql = utf8("CREATE TABLESPACE fast LOCATION '/mnt/fast';\nCREATE TABLE public.t (a int) TABLESPACE fast;\n");
  const checked = check(module, [{ name: "dump.sql", bytes: sql }]);
  expect(view(module, rewritten(checked, 0, sql)).verdict).toBe("ready");
  expect(view(module, rewritten(checked, 0, sql, true)).verdict).toBe("ready");
  checked.free();
});

test("fixes can be left, one rule's or one place's", () => {
  const sql = utf8("CREATE TABLE public.t (a int) TABLESPACE fast;\nCREATE TABLE public.u (a int) TABLESPACE fast;\n");
  const out = (leave: string[]): string => {
    const checked = check(module, [{ name: "dump.sql", bytes: sql }], { leave });
    const text = rewritten(checked, 0, sql).toString();
    checked.free();
    return text;
  };
  expect(out([])).not.toContain("TABLESPACE");
  expect(out(["TSP-04"]).match(/TABLESPACE/g)).toHaveLength(2);
  expect(out(["TSP-04@dump.sql:2"])).toBe("CREATE TABLE public.t (a int);\nCREATE TABLE public.u (a int) TABLESPACE fast;\n");
});

test("roles and schema together are judged together", () => {
  const roles = { name: "roles.sql", bytes: utf8("CREATE ROLE app;\n") };
  const schema = { name: "schema.sql", bytes: utf8("CREATE TABLE public.t (a int);\nALTER TABLE public.t OWNER TO app;\n") };
  const verdict = (...inputs: Input[]): string => {
    const checked = check(module, inputs);
    const report = JSON.parse(checked.view()) as View;
    checked.free();
    return report.verdict;
  };
  expect(verdict(schema)).toBe("needs-work");
  expect(verdict(roles, schema)).toBe("ready-after-rewrite");
});

test("a syntax error is a finding, and thousands of them cost no memory that stays", () => {
  const broken = "CREATE TABLE public.t (a int,,);\n";
  const report = view(module, broken + "CREATE TABLE public.u (a int) TABLESPACE fast;\n");
  expect(report.findings.map(({ rule }) => rule)).toEqual(["IN-10", "TSP-04"]);

  // Every one of them is a long jump out of PostgreSQL's parser.
  const many = utf8(broken.repeat(2_000));
  const run = (): void => check(module, [{ name: "dump.sql", bytes: many }]).free();
  for (let round = 0; round < 3; round++) run();
  const before = module.memory.buffer.byteLength;
  for (let round = 0; round < 10; round++) run();
  expect(module.memory.buffer.byteLength).toBe(before);
});

test("bytes that are not UTF-8 are checked, and kept by a rewrite", () => {
  const sql = Buffer.concat([Buffer.from("COMMENT ON TABLE public.t IS 'gr"), Buffer.from([0xfc, 0xdf]), Buffer.from("e';\nCREATE TABLE public.u (a int) TABLESPACE fast;\n")]);
  const checked = check(module, [{ name: "dump.sql", bytes: sql }]);
  const report = JSON.parse(checked.view()) as { findings: { rule: string; line: number }[] };
  expect(report.findings.filter(({ rule }) => rule === "TSP-04")).toMatchObject([{ line: 2 }]);
  const out = rewritten(checked, 0, sql);
  expect(out.includes(Buffer.from([0x67, 0x72, 0xfc, 0xdf, 0x65]))).toBe(true);
  expect(out.includes("TABLESPACE")).toBe(false);
  expect(module.decode(sql)).toContain("gr\ufffd\ufffde");
  checked.free();
});

test("settings that cannot be are refused in words", () => {
  const words = (settings: string): string => {
    try {
      new module.Checker(settings).free();
    } catch (error) {
      return String(error);
    }
    return "";
  };
  expect(words('{"targetVersion":12}')).toContain("PostgreSQL 15 to 18, not 12");
  expect(words('{"accept":["NO-99"]}')).toContain("NO-99");
  expect(words('{"hypertables":["t"]}')).toContain("schema.table:column");
  expect(words('{"surprise":1}')).toContain("surprise");
  expect(words("nonsense")).toContain("settings:");
  // The instance goes on.
  expect(view(module, "SELECT 1;\n").verdict).toBe("ready");
});

test("a dump in a binary format is refused with the command that turns it into text", () => {
  const refused = (name: string, bytes: Uint8Array): string => {
    const { input, what, next } = refusal(() => check(module, [{ name, bytes }]));
    expect(input).toBe(name);
    expect(what).not.toBe("");
    return next;
  };
  const custom = Buffer.alloc(600);
  custom.write("PGDMP");
  expect(refused("shop.dump", custom)).toContain("pg_restore --file=dump.sql shop.dump");
  const tar = Buffer.alloc(1024);
  tar.write("toc.dat");
  tar.write("ustar", 257);
  expect(refused("shop.tar", tar)).toContain("pg_restore --file=dump.sql shop.tar");
  expect(refused("it's a.dump", custom)).toContain("pg_restore --file=dump.sql 'it'\\''s a.dump'");
});

test("what is no dump is refused with what to do", () => {
  const whole = (bytes: Uint8Array) => refusal(() => check(module, [{ name: "d.sql", bytes }]));
  expect(whole(new Uint8Array())).toMatchObject({ what: "the file is empty" });
  expect(whole(utf8("-- nothing here\n"))).toMatchObject({ what: "the file holds no SQL statement" });
  expect(whole(Buffer.from("\ufeffCREATE TABLE t (a int);", "utf16le")).next).toContain("iconv -f UTF-16");
  expect(whole(utf8("CREATE TABLE public.t (a int);\nSELECT 'cut")).line).toBe(2);
});

test("two instances do not share anything", async () => {
  const other = await instance();
  const feed = (on: Module, sql: string) => {
    const checker = new on.Checker("{}");
    checker.begin("dump.sql");
    checker.feed(utf8(sql));
    return checker;
  };
  const first = feed(module, "CREATE TABLE public.t (a int) TABLESPACE");
  const second = feed(other, "CREATE EXTENSION dblink;\nCREATE TABLE public.u");
  first.feed(utf8(" fast;\n"));
  second.feed(utf8(" (b int);\n"));
  second.end();
  first.end();
  const rules = (checked: ReturnType<typeof first.finish>): string[] =>
    (JSON.parse(checked.view()) as { findings: { rule: string }[] }).findings.map(({ rule }) => rule);
  expect(rules(first.finish())).toEqual(["TSP-04"]);
  expect(rules(second.finish())).toEqual(["EXT-01"]);
});

test("what a check took is given back", () => {
  const sql = utf8("CREATE TABLE public.t (a int, b text DEFAULT 'x') TABLESPACE fast;\n".repeat(3_000));
  const run = (): void => {
    const checked = check(module, [{ name: "dump.sql", bytes: sql }]);
    rewritten(checked, 0, sql);
    checked.write("html");
    checked.free();
  };
  for (let round = 0; round < 3; round++) run();
  const before = module.memory.buffer.byteLength;
  for (let round = 0; round < 10; round++) run();
  expect(module.memory.buffer.byteLength).toBe(before);
});
