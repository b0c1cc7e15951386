// The steps of the Action in .github/actions/check, as a runner starts them.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { expect, test } from "@playwright/test";
import { NATIVE, ROOT } from "../support/paths";

const ACTION = join(ROOT, ".github/actions/check");
let folder: string;
test.beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tsmigrate-action-"));
  mkdirSync(join(folder, "db"));
  writeFileSync(join(folder, "db/roles.sql"), "CREATE ROLE shop;\n");
  writeFileSync(join(folder, "db/the schema.sql"), "CREATE TABLE public.t (a int) TABLESPACE fast;\nALTER TABLE public.t OWNER TO shop;\n");
});
test.afterEach(() => rmSync(folder, { recursive: true }));

/** Runs a step, and gives what it wrote to its outputs. */
function step(name: string, variables: Record<string, string>): { code: number | null; said: string; outputs: Record<string, string> } {
  const output = join(folder, "outputs");
  writeFileSync(output, "");
  const env = { ...process.env, GITHUB_OUTPUT: output, GITHUB_STEP_SUMMARY: join(folder, "summary"), RUNNER_TEMP: folder, ...variables };
  const { status, stdout, stderr } = spawnSync(join(ACTION, name), { cwd: folder, encoding: "utf8", env });
  const outputs = Object.fromEntries(readFileSync(output, "utf8").split("\n").filter(Boolean).map((line) => line.split(/=(.*)/, 2) as [string, string]));
  return { code: status, said: stdout + stderr, outputs };
}

const check = (files: string, more: Record<string, string> = {}): ReturnType<typeof step> =>
  step("check", { TSMIGRATE: NATIVE, FILES: files, FAIL_ON: "decision", ...more });

test("a check annotates, writes its reports, and passes its status on", () => {
  test.skip(!existsSync(NATIVE), "the program is not built");
  const whole = check("db/roles.sql\n  db/the*.sql  \n");
  expect(whole.said).toContain("::error file=db/the schema.sql,line=1,");
  expect(whole).toMatchObject({ code: 0, outputs: { status: "0", verdict: "ready-after-rewrite" } });
  for (const report of ["report", "sarif", "markdown"]) expect(existsSync(whole.outputs[report] ?? "")).toBe(true);
  expect(readFileSync(join(folder, "summary"), "utf8")).toContain("TSP-04");
  expect(check("db/the schema.sql").outputs).toMatchObject({ status: "1", verdict: "needs-work" });
  expect(check("db/the schema.sql", { ACCEPT: "OWN-01" }).outputs["status"]).toBe("0");
  expect(check("none/*.sql")).toMatchObject({ code: 0, said: /No file is called none/, outputs: { status: "2" } });
});

test("a program that is there is taken, and one that is not is named", () => {
  expect(step("install", { PROGRAM: process.execPath }).outputs).toEqual({ program: process.execPath });
  expect(step("install", { PROGRAM: "/none/tsmigrate" })).toMatchObject({ code: 2, said: /There is no program/ });
  expect(step("install", { PROGRAM: "", RUNNER_OS: "Windows", RUNNER_ARCH: "X64" })).toMatchObject({ code: 2, said: /npm package/ });
});

test("the comment on a pull request is written once, and changed afterwards", () => {
  const gh = join(folder, "gh");
  writeFileSync(gh, `#!/bin/sh\ncase "$*" in *--paginate*) cat "${folder}/old" ;; *) echo "$*" >>"${folder}/calls" ;; esac\n`);
  chmodSync(gh, 0o755);
  writeFileSync(join(folder, "report.md"), "# Report\n".repeat(9000));
  const variables = { PATH: `${folder}${delimiter}${process.env["PATH"]}`, GITHUB_REPOSITORY: "a/b", NUMBER: "7", REPORT: join(folder, "report.md") };
  writeFileSync(join(folder, "old"), "");
  expect(step("comment", variables).code).toBe(0);
  writeFileSync(join(folder, "old"), "42\n");
  expect(step("comment", variables).code).toBe(0);
  const calls = readFileSync(join(folder, "calls"), "utf8");
  expect(calls).toMatch(/--method POST repos\/a\/b\/issues\/7\/comments .*\n.*--method PATCH repos\/a\/b\/issues\/comments\/42 /);
});
