// How long the page takes: `npm run bench` in tests/web, after web/build. Nothing here fails by a number.
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { check, checkAgain, instance, rewritten } from "../support/module";
import { Checker, test } from "../support/checker";
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

/** The text with another name for a table in its middle: one statement is edited. */
function edited(text: string, number: number): Buffer {
  const at = text.indexOf("CREATE TABLE public.", text.length / 2) + "CREATE TABLE public.".length;
  return Buffer.from(`${text.slice(0, at)}edited_${number}_${text.slice(at)}`);
}

/** TSMIGRATE_BENCH_DUMP=FILE measures another schema, too. */
const own = process.env["TSMIGRATE_BENCH_DUMP"];

test("an edited text in Node", async () => {
  const texts: [string, string][] = [500_000, 4_000_000, 8_000_000].map((size) => [`${size / 1e6} MB`, schema(size)]);
  if (own) texts.push([own.split("/").pop() ?? own, readFileSync(own, "utf8")]);
  const middle = (times: number[]): number => times.sort((a, b) => a - b)[times.length >> 1] ?? NaN;
  for (const [what, text] of texts) {
    const module = await instance();
    const took = (act: () => ReturnType<typeof check>): number => {
      const from = performance.now();
      const checked = act();
      JSON.parse(checked.view());
      checked.free();
      return performance.now() - from;
    };
    const rounds = text.length > 2_000_000 ? 5 : 15;
    const inputs = (number: number) => [{ name: "schema.sql", bytes: edited(text, number) }];
    for (let round = 0; round < 3; round++) took(() => check(module, inputs(0)));
    const before = module.memory.buffer.byteLength;
    const cache = new module.ParseCache();
    const first = took(() => checkAgain(cache, inputs(0)));
    const [fresh, again]: [number[], number[]] = [[], []];
    for (let round = 1; round <= rounds; round++) {
      fresh.push(took(() => check(module, inputs(round))));
      again.push(took(() => checkAgain(cache, inputs(round))));
    }
    const [one, other] = [middle(fresh), middle(again)];
    print(`edited text of ${what}, check that remembers nothing`, ms(0, one));
    print(`edited text of ${what}, first check that remembers`, ms(0, first));
    print(`edited text of ${what}, checked again`, ms(0, other));
    print(`edited text of ${what}, checked again, share`, `${Math.round((100 * other) / one)} %`);
    print(`edited text of ${what}, memory of what is remembered`, `${(module.memory.buffer.byteLength - before) >> 20} MiB`);
    cache.free();
  }
});

/** How long from an act in the page until its verdict is painted, measured there: nothing between counts but the page. */
async function verdictAfter({ page }: Checker, act: "sample" | "paste", text = ""): Promise<number> {
  return page.evaluate(
    async ([act, text]) => {
      const painted = (): Promise<number> =>
        new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now()))));
      const shown = new Promise<void>((resolve) => {
        const look = (): void => {
          if (document.querySelector("section.result")?.getAttribute("data-phase") === "checked") resolve();
        };
        new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-phase"] });
      });
      const from = performance.now();
      if (act === "sample") document.querySelector<HTMLElement>(".samples button")?.click();
      else {
        const data = new DataTransfer();
        data.setData("text/plain", text);
        document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
      }
      await shown;
      return (await painted()) - from;
    },
    [act, text] as const,
  );
}

/** So many times each, as a machine that does something else meanwhile shows by the longest. */
const ROUNDS = 9;

/** Somebody who has not been there before pastes after so many milliseconds: the module is there. */
const LATER = 2000;

test("first verdicts", async ({ browser, checker }) => {
  const text = schema(500_000);
  const spread = (times: number[]): string => {
    const [first = NaN, ...more] = times.sort((a, b) => a - b);
    const last = more.at(-1) ?? first;
    return `${Math.round(first)} to ${Math.round(last)}, middle ${Math.round(times[times.length >> 1] ?? NaN)} ms`;
  };
  for (const [what, act, later] of [
    ["sample, clicked as soon as the page is seen", "sample", 0],
    ["sample, clicked two seconds later", "sample", LATER],
    ["500 KB of schema, pasted as soon as the page is seen", "paste", 0],
    ["500 KB of schema, pasted two seconds later", "paste", LATER],
  ] as const) {
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      // What the browser has compiled for one page would be there for the next.
      const context = await browser.newContext();
      const fresh = new Checker(await context.newPage(), checker.address);
      await fresh.open();
      await fresh.page.waitForTimeout(later);
      times.push(await verdictAfter(fresh, act, text));
      await context.close();
    }
    print(`page, ${what}, until the verdict`, spread(times));
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
    for (const [what, text] of [["500 KB", schema(500_000)], ["4 MB", schema(4_000_000)]] as const) {
      await checker.page.reload();
      await checker.phase("empty");
      await checker.openFiles(file("edited.sql", [text]));
      await checker.phase("checked", 60_000);
      for (const round of ["first", "second", "third"]) {
        // What an edit waits for: the pause after a key, the check, the page.
        const from = performance.now();
        await checker.type(" ");
        await checker.phase("checked", 60_000);
        print(`page, ${what} of schema, ${round} edit, typed to shown`, ms(from));
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
