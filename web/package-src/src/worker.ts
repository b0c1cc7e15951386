// The worker's side: one request after the other.

import { Analyzer } from "./analyzer";
import { CrashError, InputError, OptionsError } from "./errors";
import type { Host } from "./inputs";
import type { Answers, Packed, Request, Told } from "./protocol";
import type { Result } from "./result";

/** The way to the thread that asks. */
export interface Port {
  postMessage(told: Told): void;
  listen(hear: (request: Request) => void): void;
}

/** The result went with another worker. */
class Lost extends Error {}

/** What a worker has, and how it answers. */
class Desk {
  #analyzer: Analyzer | null = null;
  readonly #results = new Map<number, Result>();

  constructor(
    readonly port: Port,
    readonly host: Host,
  ) {}

  async answer(request: Request): Promise<Answers[keyof Answers]> {
    switch (request.op) {
      case "start": {
        const analyzer = (this.#analyzer = await Analyzer.start(request.module, this.host));
        return { version: analyzer.version, rules: analyzer.rules(), targets: analyzer.targets };
      }
      case "check":
        return this.#check(request);
      case "rewrite": {
        const parts: Uint8Array[] = [];
        for await (const part of this.#result(request.result).rewriteStream(request.input, request.options)) parts.push(part);
        return new Blob(parts as BlobPart[], { type: "application/sql" });
      }
      case "changes":
        return this.#result(request.result).changes(request.input);
      case "format":
        return this.#result(request.result).format(request.format);
      case "free":
        this.#results.get(request.result)?.free();
        this.#results.delete(request.result);
        return null;
    }
  }

  async #check({ result: number, inputs, options }: Extract<Request, { op: "check" }>): Promise<Answers["check"]> {
    if (!this.#analyzer) throw new CrashError("The worker was not started.");
    let told = Date.now();
    const onProgress = (bytes: number): void => {
      if (Date.now() - told < 100) return;
      told = Date.now();
      this.port.postMessage({ kind: "progress", bytes });
    };
    const result = await this.#analyzer.checkStreams(inputs, { ...options, onProgress });
    this.#results.set(number, result);
    return { report: result.report, words: result.words };
  }

  #result(number: number): Result {
    const result = this.#results.get(number);
    if (!result) throw new Lost("This result is lost. Next: check again.");
    return result;
  }
}

function packed(error: unknown): Packed {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof InputError) {
    const { input, what, next, line } = error;
    return { kind: "input", message, input, what, next, line };
  }
  const kind = error instanceof OptionsError ? "options" : error instanceof Lost ? "lost" : "crash";
  return { kind, message, input: "", what: "", next: "", line: null };
}

/** Answers what the port asks, for as long as the worker lives. */
export function serve(port: Port, host: Host): void {
  const desk = new Desk(port, host);
  port.listen((request) => {
    desk.answer(request).then(
      (value) => port.postMessage({ kind: "answer", value }),
      (error: unknown) => port.postMessage({ kind: "failed", error: packed(error) }),
    );
  });
}
