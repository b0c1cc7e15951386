// A reload keeps what the person wants it to keep.
import { expect, test, type Checker } from "../support/checker";

const box = (checker: Checker) => checker.input.getByLabel("Remember this on this device");

const kept = (checker: Checker): Promise<number> =>
  checker.page.evaluate(async () => localStorage.length + (await indexedDB.databases()).length);

/** What the browser holds of the texts: names, and texts or the sizes of files. */
const texts = (checker: Checker): Promise<string[]> =>
  checker.page.evaluate(
    () =>
      new Promise<string[]>((resolve, reject) => {
        const opening = indexedDB.open("tsmigrate-checker", 1);
        // The page makes it, not the test.
        opening.onupgradeneeded = () => opening.transaction?.abort();
        opening.onerror = () => resolve([]);
        opening.onsuccess = () => {
          const asked = opening.result.transaction("kept").objectStore("kept").get("page");
          asked.onerror = () => reject(asked.error ?? new Error("nothing is read"));
          asked.onsuccess = () => {
            opening.result.close();
            const kept = asked.result as { texts: { name: string; text: string; bytes: File | null }[] } | undefined;
            resolve((kept?.texts ?? []).map(({ name, text, bytes }) => `${name}: ${bytes?.size ?? text}`));
          };
        };
      }),
  );

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
  await expect.poll(() => texts(checker)).toEqual(["roles.sql: CREATE ROLE app;\n", "schema.sql: SET default_tablespace = fast;\r\n"]);
  expect(await kept(checker)).toBe(2);

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

test("what was typed in the last moment before a reload comes back", async ({ checker }) => {
  await checker.open();
  await checker.paste("SELECT 1;\n");
  await checker.verdict("ready");
  await box(checker).check();
  await expect.poll(() => kept(checker)).toBe(2);
  await checker.type("SET default_tablespace = fast;");
  await checker.page.reload();
  await checker.verdict("ready-after-rewrite");
  await expect(checker.editor).toContainText("default_tablespace");
  await checker.page.reload();
  await checker.verdict("ready-after-rewrite");
});

test("bytes that are not UTF-8 come back as they are", async ({ checker }) => {
  await checker.open();
  await checker.openFiles({ name: "latin1.sql", bytes: Buffer.from("SET default_tablespace = caf\xe9;\n", "latin1") });
  await checker.phase("checked");
  await box(checker).check();
  await expect.poll(() => texts(checker)).toEqual(["latin1.sql: 31"]);
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
