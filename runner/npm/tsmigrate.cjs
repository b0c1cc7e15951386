#!/usr/bin/env node
// Starts the program that npm has installed for this system, and ends as it does.
"use strict";
const { spawn } = require("node:child_process");
const { constants } = require("node:os");

const name = `tsmigrate-${process.platform}-${process.arch}`;
let program;
try {
  program = require.resolve(`${name}/${process.platform === "win32" ? "tsmigrate.exe" : "tsmigrate"}`);
} catch {
  const { optionalDependencies = {} } = require("./package.json");
  const next =
    name in optionalDependencies
      ? `the package ${name} is missing: install again, without --omit=optional and --no-optional`
      : `check dumps with the package tsmigrate-analyzer, or build tsmigrate from its source`;
  console.error(`error: tsmigrate has no program for ${process.platform} on ${process.arch}\n  next: ${next}`);
  process.exit(2);
}

// A terminal sends Ctrl-C to both: the program ends in order, and this waits for it.
process.on("SIGINT", () => {});
let child;
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child = spawn(program, process.argv.slice(2), { stdio: "inherit" });
child.on("error", (error) => {
  console.error(`error: ${program} does not start: ${error.message}`);
  process.exit(2);
});
child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
