// The package's analyzer in a worker thread of Node.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "@playwright/test";
import type * as Package from "../../../web/package/dist/index";
import { ROOT } from "../support/paths";

const TABLESPACE = "CREATE TABLE public.t (a int) TABLESPACE fast;\n";
const LONG = Array.from({ length: 200_000 }, (_, at) => TABLESPACE.replace("public.t", `public.t${at}`)).join("");

let tsmigrate: typeof Package;
let analyzer: Package.WorkerAnalyzer;
test.beforeAll(async () => {
  tsmigrate = (await import(pathToFileURL(join(ROOT, "web/package/dist/node.mjs")).href)) as typeof Package;
});
test.beforeEach(async () => {
  analyzer = await tsmigrate.loadWorker();
});
test.afterEach(() => analyzer.close());

test("a worker says what an analyzer says", async () => {
  const text = `-- größe 🐘\n${TABLESPACE}`;
  const own = (await tsmigrate.load()).check([{ name: "a.sql", text }]);
  const result = await analyzer.check([{ name: "a.sql", text }]);
  expect(result.report).toEqual(own.report);
  expect(result.words).toEqual(own.words);
  expect(await result.rewrite(0)).toBe(own.rewrite(0));
  expect(await result.changes(0)).toEqual(own.changes(0));
  expect(await result.format("sarif")).toBe(own.format("sarif"));
  expect(analyzer.rules()).toEqual((await tsmigrate.load()).rules());
});

test("an aborted check ends, and results from before it still answer", async () => {
  const before = await analyzer.check([{ name: "a.sql", text: TABLESPACE }]);
  const controller = new AbortController();
  const under = analyzer.check([{ name: "long.sql", text: LONG }], { signal: controller.signal, onProgress: () => controller.abort() });
  const waiting = analyzer.check([{ name: "b.sql", text: TABLESPACE }]);
  const unwanted = analyzer.check([{ name: "c.sql", text: LONG }], { signal: controller.signal });
  await expect(under).rejects.toThrow(expect.objectContaining({ name: "AbortError" }));
  await expect(unwanted).rejects.toThrow(expect.objectContaining({ name: "AbortError" }));
  expect((await waiting).verdict).toBe("ready-after-rewrite");
  expect(await before.rewrite(0)).toBe("CREATE TABLE public.t (a int);\n");
  await before.free();
});

test("files are read by the worker, and errors keep their classes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tsmigrate-package-"));
  const path = join(folder, "a.sql");
  writeFileSync(path, TABLESPACE);
  const result = await analyzer.check([{ path, name: "a.sql" }]);
  expect(result.findings).toMatchObject([{ rule: "TSP-04", file: "a.sql", range: null }]);
  expect(Buffer.from(await (await result.rewriteBlob(0)).arrayBuffer()).toString()).toBe("CREATE TABLE public.t (a int);\n");
  rmSync(folder, { recursive: true });
  await expect(analyzer.check([{ path }])).rejects.toThrow(tsmigrate.InputError);
  await expect(analyzer.check([{ name: "a.sql", text: TABLESPACE }], { accept: ["NO-99"] })).rejects.toThrow(tsmigrate.OptionsError);
});

test("a closed analyzer refuses", async () => {
  const waiting = analyzer.check([{ name: "long.sql", text: LONG }]);
  analyzer.close();
  await expect(waiting).rejects.toThrow(tsmigrate.OptionsError);
  await expect(analyzer.check([{ name: "a.sql", text: TABLESPACE }])).rejects.toThrow(tsmigrate.OptionsError);
});
