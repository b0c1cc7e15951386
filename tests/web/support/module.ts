// The module in Node, as a worker of the page uses it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type * as Bindings from "../../../web/module/tsmigrate_web.js";
import type { Settings } from "../../../web/page/engine/report";
import { ROOT } from "./paths";

export type Module = typeof Bindings & { memory: WebAssembly.Memory };

export type { Settings };

export interface Input {
  name: string;
  bytes: Uint8Array;
}

/** What the page shows of a finding; the whole is in analyzer/report.schema.json. */
export interface Finding {
  rule: string;
  severity: "error" | "warning" | "note";
  file: string;
  line: number;
  span: { start: number; end: number };
  message: string;
}

export interface View {
  verdict: string;
  findings: Finding[];
}

const FOLDER = join(ROOT, "web/module");
let compiled: WebAssembly.Module | undefined;
let count = 0;

/** The compiled module, as the page compiles it once. */
export function compile(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(readFileSync(join(FOLDER, "tsmigrate_web.wasm")));
  return compiled;
}

/** A fresh instance with a memory of its own. */
export async function instance(): Promise<Module> {
  // The bindings keep their instance in the script: each instance is a script of its own.
  const address = pathToFileURL(join(FOLDER, "tsmigrate_web.js"));
  address.search = `instance=${++count}`;
  const bindings = (await import(address.href)) as typeof Bindings;
  const { memory } = bindings.initSync({ module: compile() });
  return { ...bindings, memory };
}

/** Checks inputs, fed in pieces of so many bytes. */
export function check(module: Module, inputs: Input[], settings: Settings = {}, piece = Infinity): Bindings.Checked {
  return finished(new module.Checker(JSON.stringify(settings)), inputs, piece);
}

/** Checks inputs with what the last check of nearly the same texts has left. */
export function checkAgain(cache: Bindings.ParseCache, inputs: Input[], settings: Settings = {}, piece = Infinity): Bindings.Checked {
  return finished(cache.checker(JSON.stringify(settings)), inputs, piece);
}

function finished(checker: Bindings.Checker, inputs: Input[], piece: number): Bindings.Checked {
  for (const { name, bytes } of inputs) {
    checker.begin(name);
    for (let at = 0; at < bytes.length; at += piece) checker.feed(bytes.subarray(at, at + piece));
    checker.end();
  }
  return checker.finish();
}

/** What the page sees of the check of one text. */
export function view(module: Module, sql: string | Uint8Array, settings: Settings = {}): View {
  const bytes = typeof sql === "string" ? new TextEncoder().encode(sql) : sql;
  const checked = check(module, [{ name: "dump.sql", bytes }], settings);
  const report = JSON.parse(checked.view()) as View;
  checked.free();
  return report;
}

/** The rewritten bytes of an input. */
export function rewritten(checked: Bindings.Checked, input: number, bytes: Uint8Array, remove = false, piece = Infinity): Buffer {
  const rewriting = checked.rewriting(input, remove);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += piece) parts.push(rewriting.feed(bytes.subarray(at, at + piece)));
  parts.push(rewriting.finish());
  return Buffer.concat(parts);
}

/** What an input is refused with. */
export interface Refusal {
  input: string;
  what: string;
  next: string;
  line: number | null;
}

/** The refusal that an act ends in; a failure where it does not. */
export function refusal(act: () => unknown): Refusal {
  try {
    act();
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("{")) return JSON.parse(error.message) as Refusal;
    throw error;
  }
  throw new Error("nothing was refused");
}
