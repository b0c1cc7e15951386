// For browsers and bundlers: the module is a script that is imported when it is needed, so that no bundler has to know of
// WebAssembly.

import { importInlined } from "virtual:inlined";
import { worker } from "virtual:worker";
import { Analyzer } from "./analyzer";
import { LoadError } from "./errors";
import { compiled, type LoadOptions } from "./load";
import type { Told } from "./protocol";
import { WorkerAnalyzer, type StartThread } from "./worker-analyzer";

export * from "./api";
export type { LoadOptions };

async function own(): Promise<ArrayBuffer> {
  const { inlined } = await importInlined();
  if (typeof DecompressionStream === "undefined") {
    throw new LoadError("This browser has no DecompressionStream. Next: give the module as load({ module }), or use a browser of 2023 or newer.");
  }
  const bytes = Uint8Array.from(atob(inlined), (character) => character.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

/** Loads the analyzer. */
export async function load(options: LoadOptions = {}): Promise<Analyzer> {
  return Analyzer.start(await compiled(options.module ?? own()), { open: null });
}

/** From a blob: a page that was opened from a disk has no other way, and a bundler nothing to do. */
const startThread: StartThread = (hear, broken) => {
  const address = URL.createObjectURL(new Blob([worker], { type: "text/javascript" }));
  const thread = new Worker(address);
  const release = (): void => URL.revokeObjectURL(address);
  thread.onmessage = ({ data }: MessageEvent<Told>): void => (release(), hear(data));
  thread.onerror = (event): void => (release(), broken(new Error(event.message || "the page's content security policy has to allow worker-src blob:")));
  return { post: (request) => thread.postMessage(request), end: () => thread.terminate(), hold: () => {} };
};

/** Loads the analyzer in a worker. */
export async function loadWorker(options: LoadOptions = {}): Promise<WorkerAnalyzer> {
  return WorkerAnalyzer.start(await compiled(options.module ?? own()), startThread);
}
