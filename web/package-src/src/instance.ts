// The module at work, and what its errors mean.

import { bindings, type Bindings } from "virtual:glue";
import { CrashError, InputError, OptionsError } from "./errors";

/** What the module says where it stops (web/src/lib.rs, web/src/memory.rs). */
const STOPPED = /^(panicked at |out of memory)/;

interface Refusal {
  input: string;
  what: string;
  next: string;
  line: number | null;
}

/** An instance of the module, with a memory of its own. A trap leaves it in an unknown state: it is not asked again. */
export class Instance {
  #isDead = false;

  private constructor(readonly glue: Bindings) {}

  /** Instantiates the module without holding up a browser's main thread. */
  static async start(module: WebAssembly.Module): Promise<Instance> {
    const glue = bindings();
    await glue.default({ module_or_path: module as unknown as Promise<WebAssembly.Module> });
    return new Instance(glue);
  }

  /** Instantiates it at once. */
  static startNow(module: WebAssembly.Module): Instance {
    const glue = bindings();
    glue.initSync({ module });
    return new Instance(glue);
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** Calls the module, and throws what it refuses as an error of this package. */
  call<T>(act: (glue: Bindings) => T): T {
    if (this.#isDead) throw new CrashError("This result is lost: the module that holds it stopped. Next: check again.");
    try {
      return act(this.glue);
    } catch (error) {
      throw this.#translated(error);
    }
  }

  /** The module throws a plain Error for what it refuses; a trap or a full stack is another kind. */
  #translated(error: unknown): Error {
    if (error instanceof Error && error.constructor === Error && !STOPPED.test(error.message)) {
      if (!error.message.startsWith("{")) return new OptionsError(error.message);
      const { input, what, next, line } = JSON.parse(error.message) as Refusal;
      return new InputError(input, what, next, line);
    }
    this.#isDead = true;
    const said = error instanceof Error ? error.message : String(error);
    return new CrashError(`The module stopped: ${said}. Next: check a part of the dump, or check it on the command line.`, { cause: error });
  }
}
