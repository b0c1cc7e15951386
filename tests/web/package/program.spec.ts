// The packages for npm that have the program: npm takes the one of this system, and `tsmigrate` ends as the program does.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@playwright/test";
import { ROOT } from "../support/paths";

const PACK = join(ROOT, "runner/npm/pack.mjs");
const TARGET = process.arch === "arm64" ? "aarch64" : "x86_64";
test.skip(process.platform !== "linux", "its packages are made for Linux here");
let folder: string;

/** A program that says what it was given, and does what it is told. */
const PROGRAM = `#!/bin/sh
case $1 in
  wait) trap 'echo ended in order; exit 3' INT TERM; echo ready; while :; do sleep 0.05; done ;;
  kill) kill -9 $$ ;;
  *) printf '[%s]' "$@"; cat; exit "$1" ;;
esac
`;

test.beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tsmigrate npm "));
  writeFileSync(join(folder, "tsmigrate"), PROGRAM);
  chmodSync(join(folder, "tsmigrate"), 0o755);
  const pack = (...words: string[]): Buffer => execFileSync(process.execPath, [PACK, ...words, folder]);
  pack("main");
  pack(`${TARGET}-unknown-linux-musl`, join(folder, "tsmigrate"));
  mkdirSync(join(folder, "app"));
  writeFileSync(join(folder, "app/package.json"), "{}\n");
  const [, version] = /^version = "(.*)"/m.exec(readFileSync(join(ROOT, "Cargo.toml"), "utf8")) ?? [];
  const archives = ["tsmigrate", `tsmigrate-linux-${process.arch}`].map((name) => join(folder, `${name}-${version}.tgz`));
  // Those of other systems are of another registry here: none.
  execFileSync("npm", ["install", "--offline", "--no-audit", "--no-fund", "--loglevel=error", ...archives], { cwd: join(folder, "app") });
});
test.afterAll(() => rmSync(folder, { recursive: true }));

const installed = (): string => join(folder, "app/node_modules/.bin/tsmigrate");

test("words, standard input and the exit status go through", () => {
  const { status, stdout } = spawnSync(installed(), ["1", "a b", 'q"uote', "*"], { input: "a dump", encoding: "utf8" });
  expect({ status, stdout }).toEqual({ status: 1, stdout: '[1][a b][q"uote][*]a dump' });
  expect(spawnSync(installed(), ["kill"]).status).toBe(128 + 9);
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal} lets the program end in order`, async () => {
    // A terminal sends Ctrl-C to all of a process group.
    const child = spawn(installed(), ["wait"], { detached: true });
    let said = "";
    child.stdout.on("data", (data: Buffer) => {
      said += String(data);
      if (said === "ready\n") process.kill(signal === "SIGINT" ? -(child.pid ?? 0) : (child.pid ?? 0), signal);
    });
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(3);
    expect(said).toBe("ready\nended in order\n");
  });
}

test("a system without its package is told what to do", () => {
  rmSync(join(folder, `app/node_modules/tsmigrate-linux-${process.arch}`), { recursive: true });
  const { status, stderr } = spawnSync(installed(), ["check"], { encoding: "utf8" });
  expect(status).toBe(2);
  expect(stderr).toMatch(/the package tsmigrate-linux-\w+ is missing: install again/);
});
