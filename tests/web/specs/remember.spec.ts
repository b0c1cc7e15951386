// A reload keeps what the person wants it to keep.
import { expect, test, type Checker } from "../support/checker";

const box = (checker: Checker) => checker.input.getByLabel("Remember this on this device");

const kept = (checker: Checker): Promise<number> =>
  checker.page.evaluate(async () => localStorage.length + (await indexedDB.databases()).length);

test("nothing survives a reload unless it is wanted @both", async ({ checker }) => {
  await checker.open();
  await checker.paste("SET default_tablespace = fast;\n");
  await checker.phase("checked");
  await checker.page.reload();
  await checker.phase("empty");
});

test("dumps come back after a reload, until that is turned off @both", async ({ checker }) => {
  await checker.open();
  await checker.drop({ name: "roles.sql", bytes: "CREATE ROLE app;\n" }, { name: "schema.sql", bytes: "SET default_tablespace = fast;\r\n" });
  await checker.phase("checked");
  await box(checker).check();
  await expect(checker.input).toContainText("stay in this browser until you turn this off");
  await expect.poll(() => kept(checker)).toBe(2);
  await checker.page.waitForTimeout(1000);

  await checker.page.reload();
  await checker.verdict("ready-after-rewrite");
  await expect(checker.input.getByRole("tab")).toHaveText(["1roles.sql", "2schema.sql"]);
  await expect(checker.input.locator(".cm-place")).toHaveText(["fast"]);
  await expect(box(checker)).toBeChecked();

  await box(checker).uncheck();
  await expect.poll(() => kept(checker)).toBe(0);
  await checker.page.reload();
  await checker.phase("empty");
});

test("bytes that are not UTF-8 come back as they are", async ({ checker }) => {
  await checker.open();
  await checker.openFiles({ name: "latin1.sql", bytes: Buffer.from("SET default_tablespace = caf\xe9;\n", "latin1") });
  await checker.phase("checked");
  await box(checker).check();
  await checker.page.waitForTimeout(1500);
  await checker.page.reload();
  await checker.phase("checked");
  await expect(checker.input).toContainText("bytes that are not UTF-8");
});

test("a browser that keeps nothing is no hindrance", async ({ checker }) => {
  await checker.page.addInitScript(() => {
    Object.defineProperty(window, "localStorage", {
      get: () => {
        throw new DOMException("denied", "SecurityError");
      },
    });
  });
  await checker.open();
  await checker.paste("SELECT 1;\n");
  await checker.verdict("ready");
  await box(checker).click();
  await expect(checker.input).toContainText("keeps nothing");
  await expect(box(checker)).not.toBeChecked();
});
