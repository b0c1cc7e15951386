// How long the page takes: `npm run bench` in tests/web, after web/build. Nothing here fails by a number.
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { check, instance, rewritten } from "../support/module";
import { test } from "../support/checker";
import { ROOT, SINGLE_FILE } from "../support/paths";
import { data, schema } from "./schema";

const print = (what: string, value: string): void => console.log(`${what.padEnd(58)} ${value.padStart(12)}`);
const ms = (from: number, to = performance.now()): string => `${Math.round(to - from)} ms`;

test("sizes", () => {
  const module = join(ROOT, "web/module/tsmigrate_web.wasm");
  print("module", `${statSync(module).size}`);
  print("module, gzipped", `${statSync(`${module}.gz`).size}`);
  print("everything in one file", `${statSync(SINGLE_FILE).size}`);
});

test("the module in Node", async () => {
  const module = await instance();
  for (const size of [500_000, 20_000_000]) {
    const bytes = Buffer.from(schema(size));
    for (const round of ["first", "second", "third"]) {
      const from = performance.now();
      const checked = check(module, [{ name: "schema.sql", bytes }], {}, 1 << 20);
      print(`module, ${size / 1e6} MB of schema, ${round} check`, ms(from));
      if (round === "third") {
        const then = performance.now();
        rewritten(checked, 0, bytes, false, 1 << 20);
        print(`module, ${size / 1e6} MB of schema, rewrite`, ms(then));
      }
      checked.free();
    }
    print("module's memory", `${module.memory.buffer.byteLength >> 20} MiB`);
  }
});

test("the page", async ({ checker }) => {
  const folder = mkdtempSync(join(tmpdir(), "tsmigrate-bench-"));
  const file = (name: string, pieces: Iterable<string>): string => {
    const path = join(folder, name);
    const out = openSync(path, "w");
    for (const piece of pieces) writeSync(out, piece);
    closeSync(out);
    return path;
  };
  try {
    const from = performance.now();
    await checker.open();
    print("page, until it is seen", ms(from));
    const paint = await checker.page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN);
    print("page, first contentful paint", `${Math.round(paint)} ms`);
    await checker.phase("empty");
    print("page, until the module is ready", ms(from));
    const dumps: [string, string][] = [
      ["500 KB of schema", file("small.sql", [schema(500_000)])],
      ["20 MB of schema", file("large.sql", [schema(20_000_000)])],
      ["200 MB, data nearly all", file("data.sql", data(200_000_000))],
    ];
    for (const [what, path] of dumps) {
      for (const round of ["first", "second"]) {
        await checker.page.reload();
        await checker.phase("empty");
        // The longest time without a frame: a page that freezes shows it here.
        await checker.page.evaluate(() => {
          let last = performance.now();
          const longest = { ms: 0 };
          (window as unknown as { longest: typeof longest }).longest = longest;
          const frame = (): void => {
            const now = performance.now();
            longest.ms = Math.max(longest.ms, now - last);
            last = now;
            requestAnimationFrame(frame);
          };
          requestAnimationFrame(frame);
        });
        const then = performance.now();
        await checker.openFiles(path);
        await checker.phase("checked", 300_000);
        print(`page, ${what}, ${round} time, opened to shown`, ms(then));
        const longest = await checker.page.evaluate(() => (window as unknown as { longest: { ms: number } }).longest.ms);
        print(`page, ${what}, longest time without a frame`, `${Math.round(longest)} ms`);
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
