// The analyzer in a worker: the thread that asks stays free, and a check can be cancelled.

import { CrashError, InputError, LoadError, OptionsError, TsmigrateError } from "./errors";
import { namesOf, type StoredInput } from "./inputs";
import { settingsOf, type CheckOptions } from "./options";
import type { Answers, Known, Packed, Request, Told } from "./protocol";
import type { Change, Decision, Finding, Format, Report, RewriteOptions, Rule, Targets, Verdict, Words } from "./types";

/** A worker, of a browser or of Node. */
export interface Thread {
  post(request: Request): void;
  /** Ends it, whatever it does. */
  end(): void;
  /** Whether it keeps Node's process alive. */
  hold(isBusy: boolean): void;
}

/** Starts a worker; `hear` gets its messages, `broken` what ends it. */
export type StartThread = (hear: (told: Told) => void, broken: (error: unknown) => void) => Thread;

/** How a check in a worker is followed and ended. */
export interface WorkerOptions extends CheckOptions {
  /** Ends the check at once: it rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Hears how many bytes of all inputs have been read, now and then. */
  onProgress?: (bytes: number) => void;
}

interface Task {
  request: Request;
  resolve: (value: never) => void;
  reject: (error: unknown) => void;
  onProgress: ((bytes: number) => void) | undefined;
}

/** The worker does not have a result, which went with an earlier worker. */
class LostError extends CrashError {}

function unpacked({ kind, message, input, what, next, line }: Packed): TsmigrateError {
  switch (kind) {
    case "input":
      return new InputError(input, what, next, line);
    case "options":
      return new OptionsError(message);
    case "lost":
      return new LostError(message);
    case "crash":
      return new CrashError(message);
  }
}

/** The analyzer in a worker of its own. Requests are answered one after the other. */
export class WorkerAnalyzer {
  readonly #module: WebAssembly.Module;
  readonly #start: StartThread;
  readonly #waiting: Task[] = [];
  #thread: Thread | null = null;
  #running: Task | null = null;
  #isClosed = false;
  /** How many checks there were: a result's number is its own, whichever worker has it. */
  #count = 0;
  #known: Known | null = null;

  private constructor(module: WebAssembly.Module, start: StartThread) {
    this.#module = module;
    this.#start = start;
  }

  /** @internal */
  static async start(module: WebAssembly.Module, start: StartThread): Promise<WorkerAnalyzer> {
    const analyzer = new WorkerAnalyzer(module, start);
    analyzer.#known = await analyzer.#ready();
    analyzer.#thread?.hold(false);
    return analyzer;
  }

  /** The version of the analyzer. */
  get version(): string {
    return this.#whatIsKnown().version;
  }

  /** What can be chosen of the service. */
  get targets(): Targets {
    return this.#whatIsKnown().targets;
  }

  /** Every rule that dumps are judged by. */
  rules(): Rule[] {
    return this.#whatIsKnown().rules;
  }

  /** Checks dumps that belong together. Errors are those of an Analyzer, or the reason of the signal. */
  async check(inputs: readonly StoredInput[], options: WorkerOptions = {}): Promise<WorkerResult> {
    const { signal, onProgress, ...others } = options;
    namesOf(inputs);
    settingsOf(others);
    if (inputs.some((input) => "stream" in input)) throw new OptionsError("Streams cannot go to a worker: give blobs, paths or bytes.");
    const kept = [...inputs];
    const result = ++this.#count;
    const check = (ending?: AbortSignal, heard?: (bytes: number) => void): Promise<Answers["check"]> =>
      this.#ask<"check">({ op: "check", result, inputs: kept, options: others }, ending, heard);
    return new WorkerResult(this, result, await check(signal, onProgress), check);
  }

  /** Ends the worker. What waits for an answer rejects. */
  close(): void {
    this.#isClosed = true;
    this.#stop();
    const closed = new OptionsError("The analyzer was closed.");
    for (const task of [this.#running, ...this.#waiting.splice(0)]) task?.reject(closed);
    this.#running = null;
  }

  /** @internal */
  ask<Op extends keyof Answers>(request: Request): Promise<Answers[Op]> {
    return this.#ask<Op>(request);
  }

  #whatIsKnown(): Known {
    if (!this.#known) throw new LoadError("The worker has not started.");
    return this.#known;
  }

  #ask<Op extends keyof Answers>(request: Request, signal?: AbortSignal, onProgress?: (bytes: number) => void): Promise<Answers[Op]> {
    if (this.#isClosed) return Promise.reject(new OptionsError("The analyzer was closed."));
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    return new Promise<Answers[Op]>((resolve, reject) => {
      const task: Task = { request, resolve, reject, onProgress };
      const abort = (): void => this.#cancel(task, signal?.reason);
      signal?.addEventListener("abort", abort, { once: true });
      const done = (): void => signal?.removeEventListener("abort", abort);
      task.resolve = (value: Answers[Op]): void => (done(), resolve(value));
      task.reject = (error): void => (done(), reject(error as Error));
      this.#waiting.push(task);
      void this.#next();
    });
  }

  /** Takes a task out, and ends the worker where it is at work on it. */
  #cancel(task: Task, reason: unknown): void {
    const at = this.#waiting.indexOf(task);
    if (at !== -1) this.#waiting.splice(at, 1);
    else if (this.#running === task) {
      this.#running = null;
      this.#stop();
    } else return;
    task.reject(reason);
    void this.#next();
  }

  #stop(): void {
    this.#thread?.end();
    this.#thread = null;
  }

  /** Begins the next task, if none is under way. */
  async #next(): Promise<void> {
    if (this.#running) return;
    const task = this.#waiting.shift();
    if (!task) {
      this.#thread?.hold(false);
      return;
    }
    this.#running = task;
    try {
      if (!this.#thread) await this.#ready();
      // It was cancelled while the worker started.
      if (this.#running !== task) return;
      this.#thread?.hold(true);
      this.#thread?.post(task.request);
    } catch (error) {
      if (this.#running === task) this.#running = null;
      task.reject(error);
      void this.#next();
    }
  }

  /** Starts a worker and gives it the module. */
  #ready(): Promise<Known> {
    return new Promise<Known>((resolve, reject) => {
      let isStarted = false;
      let thread: Thread | null = null;
      const broken = (error: unknown): void => {
        const said = error instanceof Error ? error.message : String(error);
        if (!isStarted) reject(new LoadError(`The worker does not start: ${said}`, { cause: error }));
        else if (this.#thread === thread) this.#broke(new CrashError(`The worker ended: ${said}. Next: check a part of the dump.`, { cause: error }));
      };
      const hear = (told: Told): void => {
        if (isStarted) {
          if (this.#thread === thread) this.#hear(told);
        } else if (told.kind === "answer") {
          isStarted = true;
          resolve(told.value as Known);
        } else if (told.kind === "failed") broken(new Error(told.error.message));
      };
      try {
        thread = this.#start(hear, broken);
      } catch (error) {
        broken(error);
        return;
      }
      this.#thread = thread;
      thread.post({ op: "start", module: this.#module });
    });
  }

  #hear(told: Told): void {
    const task = this.#running;
    if (told.kind === "progress") {
      task?.onProgress?.(told.bytes);
      return;
    }
    if (told.kind === "failed" && told.error.kind === "crash") {
      this.#broke(unpacked(told.error));
      return;
    }
    this.#running = null;
    if (told.kind === "answer") task?.resolve(told.value as never);
    else task?.reject(unpacked(told.error));
    void this.#next();
  }

  /** The worker is of no use any more: the next task has another. */
  #broke(error: Error): void {
    const task = this.#running;
    this.#running = null;
    this.#stop();
    task?.reject(error);
    void this.#next();
  }
}

/** What a check in a worker found. Where its worker has ended meanwhile, a rewrite or report checks the inputs again. */
export class WorkerResult {
  /** All of the report. */
  readonly report: Report;
  /** The answer in words. */
  readonly words: Words;
  readonly #analyzer: WorkerAnalyzer;
  readonly #result: number;
  readonly #check: () => Promise<unknown>;

  /** @internal */
  constructor(analyzer: WorkerAnalyzer, result: number, { report, words }: Answers["check"], check: () => Promise<unknown>) {
    this.#analyzer = analyzer;
    this.#result = result;
    this.#check = check;
    this.report = report;
    this.words = words;
  }

  /** Whether the dump can be restored: as it is, after the rewrite, or only after decisions. */
  get verdict(): Verdict {
    return this.report.verdict;
  }

  /** What a person has to decide before it restores, what blocks most first. */
  get decisions(): Decision[] {
    return this.report.decisions;
  }

  /** Every finding, in the order of the inputs. */
  get findings(): Finding[] {
    return this.report.findings;
  }

  /** The report in one of the command line's forms. */
  async format(format: Format): Promise<string> {
    return this.#ask<"format">({ op: "format", result: this.#result, format });
  }

  /** The changes of an input in the order of its text, for an editor; null where the input was a file. */
  async changes(input: number): Promise<Change[] | null> {
    return this.#ask<"changes">({ op: "changes", result: this.#result, input });
  }

  /** The rewritten text of an input in UTF-8. */
  async rewrite(input: number, options: RewriteOptions = {}): Promise<string> {
    const blob = await this.rewriteBlob(input, options);
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(await blob.arrayBuffer());
  }

  /** The rewritten bytes of an input. */
  async rewriteBlob(input: number, options: RewriteOptions = {}): Promise<Blob> {
    return this.#ask<"rewrite">({ op: "rewrite", result: this.#result, input, options });
  }

  /** Gives the worker's memory back. What was read of the report stays. */
  async free(): Promise<void> {
    await this.#analyzer.ask<"free">({ op: "free", result: this.#result });
  }

  async #ask<Op extends keyof Answers>(request: Request): Promise<Answers[Op]> {
    try {
      return await this.#analyzer.ask<Op>(request);
    } catch (error) {
      if (!(error instanceof LostError)) throw error;
    }
    await this.#check();
    return this.#analyzer.ask<Op>(request);
  }
}
