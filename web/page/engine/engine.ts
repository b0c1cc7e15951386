// The page's side of the worker: starts it, asks it, and replaces it when it was cancelled or has failed.

import type { Answers, Asked, Catalogue, Format, Part, Request, Result, Settings, Source, Told } from "./protocol";
import type { Refusal } from "./report";

/** An input that cannot be checked, with what to do. */
export class InputRefused extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal.what);
  }
}

/** The check was cancelled, or another took its place. */
export class Cancelled extends Error {}

/** The module stopped: a defect, memory that ran out, a stack that was too deep. A fresh one is there already. */
export class Crashed extends Error {}

const later = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

interface Waiting {
  resolve: (value: Answers[keyof Answers]) => void;
  reject: (error: Error) => void;
  progress: ((done: number, total: number) => void) | undefined;
  isStart: boolean;
  /** What came before the answer. */
  parts: Part[];
}

/** An answer with what came before it. */
function whole(value: Answers[keyof Answers], parts: readonly Part[]): Answers[keyof Answers] {
  if (!("report" in value)) return value;
  for (const part of parts) {
    if ("changes" in part) value.changes[part.input]?.push(...part.changes);
    else {
      value.report.findings.push(...part.findings);
      value.places.push(...part.places);
    }
  }
  return value;
}

/** The worker's script and the compiled module. */
interface Parts {
  script: string;
  module: WebAssembly.Module;
}

/** Reads the parts: from the page itself where it is a single file, else from a script beside it. */
async function parts(): Promise<Parts> {
  const block = (id: string): string | null => document.getElementById(id)?.textContent ?? null;
  const script = block("engine-worker");
  const packed = block("engine-module");
  const engine = script !== null && packed !== null ? { worker: script, module: packed } : await import("virtual:engine");
  const text = atob(engine.module);
  // Not through the string's iterator, which takes a tenth of a second for as much.
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const module = await WebAssembly.compile(await new Response(stream).arrayBuffer());
  return { script: engine.worker.replaceAll("<\\/script", "</script"), module };
}

/** All engines have the same. */
let shared: Promise<Parts> | null = null;

export class Engine {
  #worker: Worker | null = null;
  #started: Promise<Catalogue> | null = null;
  #next = 1;
  #waiting = new Map<number, Waiting>();
  /** Counts how often everything was cancelled: a question from before that is not asked any more. */
  #cancelled = 0;
  /** What checks remember takes memory, and that may have been what was missing: nothing is remembered any more. */
  #crashed = false;
  /** Fulfilled when the newest question has its answer: the worker answers one after the other. */
  #last: Promise<void> = Promise.resolve();

  /** The catalogue, once the module is ready. */
  start(): Promise<Catalogue> {
    this.#started ??= this.#start();
    return this.#started;
  }

  async check(inputs: Source[], settings: Settings, progress?: (done: number, total: number) => void): Promise<Result> {
    return this.#ask({ op: "check", inputs, settings, remember: !this.#crashed }, progress);
  }

  /** The rewritten bytes of an input of the last check. */
  async rewrite(input: number, remove = false): Promise<Blob> {
    return this.#ask({ op: "rewrite", input, remove });
  }

  /** The last check's report. */
  async write(format: Format): Promise<Blob> {
    return this.#ask({ op: "write", format });
  }

  /** A file's text, where it is small enough to be edited. */
  async read(file: File, limit: number): Promise<Answers["read"]> {
    return this.#ask({ op: "read", file, limit });
  }

  /** Stops whatever is under way. The next question starts a fresh worker: a few milliseconds. */
  cancel(): void {
    this.#cancelled++;
    // A worker that is just starting has nothing to stop.
    if (this.#isAsked()) this.#end(new Cancelled("cancelled"));
  }

  #isAsked(): boolean {
    return [...this.#waiting.values()].some(({ isStart }) => !isStart);
  }

  /** Waits so many milliseconds for what is under way, and stops it then: a fresh worker knows nothing of the last check. */
  async free(patience: number): Promise<void> {
    const isWorth = patience > 0 && this.#isAsked();
    const isOver = isWorth && (await Promise.race([this.#last.then(() => true), later(patience).then(() => false)]));
    if (!isOver) this.cancel();
  }

  /** Ends the worker; nothing waits for it any more. */
  stop(): void {
    this.#cancelled++;
    this.#end(new Cancelled("stopped"));
  }

  async #start(): Promise<Catalogue> {
    try {
      shared ??= parts();
      const { script, module } = await shared.catch((error: unknown) => {
        shared = null;
        throw error;
      });
      const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
      const worker = new Worker(url);
      URL.revokeObjectURL(url);
      worker.onmessage = ({ data }: MessageEvent<Told>) => this.#hear(data);
      worker.onerror = (event) => {
        event.preventDefault();
        this.#end(new Crashed(event.message || "the worker stopped"));
      };
      this.#worker = worker;
      return await this.#post({ op: "start", module });
    } catch (error) {
      this.#started = null;
      throw error;
    }
  }

  async #ask<R extends Request>(request: R, progress?: Waiting["progress"]): Promise<Answers[R["op"]]> {
    const before = this.#cancelled;
    await this.start();
    if (before !== this.#cancelled) throw new Cancelled("cancelled");
    return this.#post(request, progress);
  }

  #post<R extends Request>(request: R, progress?: Waiting["progress"]): Promise<Answers[R["op"]]> {
    const answer = new Promise<Answers[R["op"]]>((resolve, reject) => {
      const id = this.#next++;
      this.#waiting.set(id, { resolve: resolve as Waiting["resolve"], reject, progress, isStart: request.op === "start", parts: [] });
      const asked: Asked = { ...request, id };
      this.#worker?.postMessage(asked);
    });
    // Whoever asked hears of a failure.
    this.#last = answer.then(() => {}, () => {});
    return answer;
  }

  #hear(told: Told): void {
    const waiting = this.#waiting.get(told.id);
    if (!waiting) return;
    switch (told.kind) {
      case "progress":
        waiting.progress?.(told.done, told.total);
        return;
      case "part":
        waiting.parts.push(told.part);
        return;
      case "answer":
        this.#waiting.delete(told.id);
        waiting.resolve(whole(told.value, waiting.parts));
        return;
      case "refused":
        this.#waiting.delete(told.id);
        waiting.reject(new InputRefused(told.refusal));
        return;
      case "failed":
        this.#end(new Crashed(told.message));
    }
  }

  /** Ends the worker; what waits for it hears why. */
  #end(why: Error): void {
    this.#crashed ||= why instanceof Crashed;
    this.#worker?.terminate();
    this.#worker = null;
    this.#started = null;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(why);
  }
}
