// The analyzer: inputs and options in, a result out.

import type { ArchiveScript, Checker, ParseCache } from "../../module/tsmigrate_web.js";
import { InputError } from "./errors";
import { bytesOf, namesOf, pieces, streamOf, type AnyInput, type Host, type Input } from "./inputs";
import { Instance } from "./instance";
import { settingsOf, type CheckOptions } from "./options";
import { Result } from "./result";
import type { Rule, Targets } from "./types";

/** How a check of streams is followed and ended. */
export interface StreamOptions extends CheckOptions {
  /** Ends the check: it rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Hears how many bytes of all inputs have been read. */
  onProgress?: (bytes: number) => void;
}

/** The catalogue as the module has it. */
interface Catalogue {
  version: string;
  rules: Rule[];
  target: string;
  targetVersion: number;
  targetVersions: number[];
  extensionLists: Targets["extensionLists"];
}

/** So many bytes tell the kind of a file. */
const HEAD = 4096;

/** Checks dumps. One is enough for any number of checks; it works on the thread that calls it. */
export class Analyzer {
  readonly #module: WebAssembly.Module;
  readonly #host: Host;
  #instance: Instance;
  #cache: { instance: Instance; cache: ParseCache } | null = null;
  #catalogue: Catalogue | null = null;

  private constructor(module: WebAssembly.Module, host: Host, instance: Instance) {
    this.#module = module;
    this.#host = host;
    this.#instance = instance;
  }

  /** @internal */
  static async start(module: WebAssembly.Module, host: Host): Promise<Analyzer> {
    return new Analyzer(module, host, await Instance.start(module));
  }

  /** The version of the analyzer, which is also the package's and the command line's. */
  get version(): string {
    return this.#known().version;
  }

  /** What can be chosen of the service. */
  get targets(): Targets {
    const { target: name, targetVersion: version, targetVersions: versions, extensionLists } = this.#known();
    return { name, version, versions, extensionLists };
  }

  /** Every rule that dumps are judged by. */
  rules(): Rule[] {
    return this.#known().rules;
  }

  /**
   * Checks dumps that belong together: roles and schema, for example. They are in memory; for others there is
   * `checkStreams`.
   *
   * Throws an InputError where an input cannot be checked, an OptionsError where the options cannot be used, a CrashError
   * where the module stops.
   */
  check(inputs: readonly Input[], options: CheckOptions = {}): Result {
    namesOf(inputs);
    const { instance, checker } = this.#begin(options);
    try {
      for (const input of inputs) {
        const bytes = bytesOf(input);
        instance.call(() => checker.begin(input.name));
        for (const piece of pieces(bytes)) instance.call(() => checker.feed(piece));
        instance.call(() => checker.end());
      }
    } catch (error) {
      if (!instance.isDead) checker.free();
      throw error;
    }
    return this.#end(instance, checker, inputs, options);
  }

  /** Checks dumps whose bytes arrive in pieces: streams, blobs, and files in Node. Errors are those of `check`. */
  async checkStreams(inputs: readonly AnyInput[], options: StreamOptions = {}): Promise<Result> {
    const { signal, onProgress, ...others } = options;
    const names = namesOf(inputs);
    signal?.throwIfAborted();
    const { instance, checker } = this.#begin(others);
    let read = 0;
    try {
      for (const [at, input] of inputs.entries()) {
        instance.call(() => checker.begin(names[at] ?? ""));
        for await (const piece of streamOf(input, this.#host)) {
          signal?.throwIfAborted();
          instance.call(() => checker.feed(piece));
          onProgress?.((read += piece.length));
        }
        signal?.throwIfAborted();
        instance.call(() => checker.end());
      }
    } catch (error) {
      if (!instance.isDead) checker.free();
      throw error;
    }
    return this.#end(instance, checker, inputs, others);
  }

  /**
   * Why a file that begins with these bytes cannot be checked: an archive, a compressed file, another encoding. Null where
   * it is text: what its statements are, only a check tells.
   */
  refusal(input: Input): InputError | null {
    const head = new Uint8Array(HEAD).fill(0x20);
    head.set(bytesOf(input).subarray(0, HEAD));
    const instance = this.#alive();
    const checker = instance.call((glue) => new glue.Checker("{}"));
    try {
      instance.call(() => checker.begin(input.name));
      instance.call(() => checker.feed(head));
      return null;
    } catch (error) {
      if (error instanceof InputError) return error;
      throw error;
    } finally {
      if (!instance.isDead) checker.free();
    }
  }

  /**
   * The script of an archive of pg_dump by its first bytes; null where its table of contents is longer. `isWhole`: there are no
   * more bytes.
   *
   * @internal
   */
  archive(name: string, head: Uint8Array, isWhole: boolean): ArchiveScript | null {
    return this.#alive().call((glue) => glue.ArchiveScript.of(name, head, isWhole) ?? null);
  }

  /** The text of a dump that is no UTF-8 throughout, as ranges count in it: each byte that is none is one U+FFFD. */
  decode(bytes: Uint8Array): string {
    return this.#alive().call((glue) => glue.decode(bytes));
  }

  /** An instance that has not stopped. */
  #alive(): Instance {
    if (this.#instance.isDead) this.#instance = Instance.startNow(this.#module);
    return this.#instance;
  }

  /** A checker of a living instance. */
  #begin(options: CheckOptions): { instance: Instance; checker: Checker } {
    const settings = settingsOf(options);
    const instance = this.#alive();
    if (this.#cache && (this.#cache.instance !== instance || !options.cache)) {
      if (!this.#cache.instance.isDead) this.#cache.cache.free();
      this.#cache = null;
    }
    if (!options.cache) return { instance, checker: instance.call((glue) => new glue.Checker(settings)) };
    const { cache } = (this.#cache ??= { instance, cache: instance.call((glue) => new glue.ParseCache()) });
    return { instance, checker: instance.call(() => cache.checker(settings)) };
  }

  #end(instance: Instance, checker: Checker, inputs: readonly AnyInput[], { maxFindings }: CheckOptions): Result {
    return new Result(instance, instance.call(() => checker.finish()), [...inputs], this.#host, maxFindings);
  }

  #known(): Catalogue {
    return (this.#catalogue ??= JSON.parse(this.#alive().call((glue) => glue.catalogue())) as Catalogue);
  }
}
