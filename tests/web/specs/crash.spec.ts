// A module that stops ends in a message and a fresh worker.
import { expect, test } from "../support/checker";

/** Gives the module so little memory that a text of some megabytes exhausts it: a real trap, of the real module. */
function littleMemory(): void {
  const compile = WebAssembly.compile.bind(WebAssembly);
  WebAssembly.compile = (source: BufferSource) => {
    const bytes = new Uint8Array(source as ArrayBuffer);
    let at = 8;
    const number = (): number => {
      let [value, shift, byte] = [0, 0, 0];
      do {
        byte = bytes[at++] ?? 0;
        value |= (byte & 127) << shift;
        shift += 7;
      } while (byte & 128);
      return value >>> 0;
    };
    const written = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...written(value >>> 7)]);
    while (at < bytes.length) {
      const start = at;
      const kind = bytes[at++];
      const length = number();
      const body = at;
      if (kind === 5) {
        at += 2; // one memory, without an end
        const least = number();
        const limits = [1, 1, ...written(least), ...written(least + 400)];
        const section = [5, ...written(limits.length), ...limits];
        const rest = bytes.subarray(body + length);
        return compile(new Uint8Array([...bytes.subarray(0, start), ...section, ...rest]));
      }
      at = body + length;
    }
    throw new Error("the module has no memory");
  };
}

test("memory that runs out ends in a message, the text stays, and the page goes on", async ({ checker }) => {
  await checker.page.addInitScript(littleMemory);
  await checker.open();
  const table = "CREATE TABLE public.t (a int) TABLESPACE fast;\nALTER TABLE public.t OWNER TO somebody;\n";
  await checker.openFiles({ name: "large.sql", bytes: table.repeat(30_000) });
  await checker.phase("crashed");
  const notice = checker.input.locator("[data-crashed]");
  await expect(notice).toContainText("The checker stopped");
  await expect(checker.editor).toContainText("TABLESPACE fast");
  expect(await checker.axe()).toEqual([]);

  // Nothing is tried again by itself; somebody may.
  await checker.page.waitForTimeout(1000);
  const before = await checker.phases();
  expect(before.at(-1)).toBe("crashed");
  await notice.getByRole("button", { name: "Check again" }).click();
  await expect.poll(async () => (await checker.phases()).slice(before.length)).toEqual(["checking", "crashed"]);

  await checker.editor.click();
  await checker.page.keyboard.press("Control+a");
  await checker.page.keyboard.type("SELECT 1;");
  await checker.verdict("ready");
});

test("a browser that cannot run the module is told so", async ({ checker }) => {
  await checker.page.addInitScript(() => {
    WebAssembly.compile = () => Promise.reject(new WebAssembly.CompileError("no exceptions here"));
  });
  await checker.open();
  await checker.phase("crashed");
  await expect(checker.input.locator("[data-crashed]")).toContainText("does not start in this browser");
  await checker.paste("SELECT 1;\n");
  await checker.phase("crashed");
  await expect(checker.editor).toContainText("SELECT 1");
});
