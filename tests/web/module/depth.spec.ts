// Deep nesting ends in a report. A trap would cost the page its worker.
import { expect, test } from "@playwright/test";
import { check, instance, view } from "../support/module";

const FORMS: [string, (depth: number) => string][] = [
  ["brackets", (n) => `${"(".repeat(n)}1${")".repeat(n)}`],
  ["function calls", (n) => `${"abs(".repeat(n)}1${")".repeat(n)}`],
  ["sums", (n) => `1${" + 1".repeat(n)}`],
  ["negations", (n) => `${"NOT ".repeat(n)}true`],
  ["CASE expressions", (n) => `${"CASE WHEN true THEN 1 ELSE ".repeat(n)}1${" END".repeat(n)}`],
  ["subqueries", (n) => `${"(SELECT ".repeat(n)}1${")".repeat(n)}`],
  ["arrays", (n) => `${"ARRAY[".repeat(n)}1${"]".repeat(n)}`],
];

for (const [what, form] of FORMS) {
  test(`${what} nested deep end in a report`, async () => {
    const module = await instance();
    for (const depth of [10, 100, 250, 500, 1_000, 1_001, 3_000, 10_000, 100_000]) {
      const bytes = new TextEncoder().encode(`CREATE VIEW public.v AS SELECT ${form(depth)};\n`);
      check(module, [{ name: "dump.sql", bytes }]).free();
    }
    expect(view(module, "SELECT 1;\n").verdict).toBe("ready");
  });
}

test("what is too deep is not judged, and its line is told", async () => {
  const module = await instance();
  const { findings } = view(module, `SELECT 1;\nSELECT ${"(".repeat(2_000)}1${")".repeat(2_000)};\n`);
  expect(findings).toMatchObject([{ rule: "IN-10", severity: "warning", line: 2 }]);
});
