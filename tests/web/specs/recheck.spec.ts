// An edited text is checked again by the worker that knows most of it.
import { expect, test } from "../support/checker";
import { schema } from "../bench/schema";

test("edits and choices are checked by the same worker, and the last one counts", async ({ checker }) => {
  await checker.open();
  await checker.phase("empty");
  await checker.openFiles({ name: "schema.sql", bytes: schema(200_000) });
  await checker.phase("checked");
  let started = 0;
  checker.page.on("worker", () => started++);
  await checker.editor.click();
  await checker.page.keyboard.press("Control+Home");
  // Some of it falls into a check that is under way.
  await checker.page.keyboard.type("CREATE TABLE public.typed (a int) TABLESPACE typed;\n", { delay: 40 });
  await checker.phase("checked");
  await expect(checker.input.locator(".cm-place").first()).toHaveText("TABLESPACE typed");
  // An open quote would take the rest of the text: the last result stays until it is closed.
  await checker.page.keyboard.type("'");
  await checker.phase("unfinished");
  await checker.page.keyboard.press("Backspace");
  await checker.phase("checked");
  await expect(checker.input.locator(".cm-place").first()).toHaveText("TABLESPACE typed");
  await checker.result.locator(".switch").first().click();
  await checker.phase("checked");
  expect(started).toBe(0);
});
