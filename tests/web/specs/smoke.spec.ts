// The page opens and checks, in both of its forms.
import { expect, test } from "../support/checker";

test("the sample is checked and its findings are shown @both", async ({ checker }) => {
  await checker.open();
  await checker.phase("empty");
  await checker.openSample();
  await checker.phase("checked");
  await expect(checker.result.locator("[data-verdict]")).toBeVisible();
  await expect(checker.findings.first()).toBeVisible();
});

test("a pasted dump gets its verdict @both", async ({ checker }) => {
  await checker.open();
  await checker.paste("CREATE TABLE public.t (a int) TABLESPACE fast;\n");
  await checker.verdict("ready-after-rewrite");
  await expect(checker.result).toContainText("TSP-04");
});

test("axe finds nothing on the first screen", async ({ checker }) => {
  await checker.open();
  await checker.phase("empty");
  expect(await checker.axe()).toEqual([]);
});
