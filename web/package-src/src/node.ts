// For Node: the module is a file beside this one, and inputs can be paths.

import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { worker } from "virtual:worker";
import { Analyzer } from "./analyzer";
import { LoadError } from "./errors";
import { compiled, type LoadOptions } from "./load";
import type { Told } from "./protocol";
import { WorkerAnalyzer, type StartThread } from "./worker-analyzer";

export * from "./api";
export type { LoadOptions };

/** The folder of this file: the build writes it for either kind of module. */
declare function here(): string;

async function own(): Promise<Uint8Array> {
  try {
    return await readFile(join(here(), "tsmigrate.wasm"));
  } catch (error) {
    const next = "where a bundler made one file of this program, import tsmigrate-analyzer/inline, which has the module inside";
    throw new LoadError(`The module tsmigrate.wasm is not beside the package's code. Next: ${next}.`, { cause: error });
  }
}

/** Loads the analyzer. */
export async function load(options: LoadOptions = {}): Promise<Analyzer> {
  return Analyzer.start(await compiled(options.module ?? own()), { open: (path) => createReadStream(path) });
}

const startThread: StartThread = (hear, broken) => {
  const thread = new Worker(worker, { eval: true });
  thread.on("message", (told: Told) => hear(told));
  thread.on("error", broken);
  return { post: (request) => thread.postMessage(request), end: () => void thread.terminate(), hold: (isBusy) => (isBusy ? thread.ref() : thread.unref()) };
};

/** Loads the analyzer in a worker thread. */
export async function loadWorker(options: LoadOptions = {}): Promise<WorkerAnalyzer> {
  return WorkerAnalyzer.start(await compiled(options.module ?? own()), startThread);
}
