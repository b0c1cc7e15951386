// What can go wrong, each kind as a class of its own.

/** Everything that this package throws, but for the reason of an aborted signal. */
export class TsmigrateError extends Error {
  override name = "TsmigrateError";
}

/** The WebAssembly module cannot be loaded. */
export class LoadError extends TsmigrateError {
  override name = "LoadError";
}

/** The options cannot be used as they are: an unknown rule, a version that the service does not have. */
export class OptionsError extends TsmigrateError {
  override name = "OptionsError";
}

/** An input cannot be checked: it is empty, cut off, no dump in text form, or cannot be read. */
export class InputError extends TsmigrateError {
  override name = "InputError";

  constructor(
    /** The input's name. */
    readonly input: string,
    /** What is wrong with it. */
    readonly what: string,
    /** What to do. */
    readonly next: string,
    /** The line where that is, from 1; null where it is no single line. */
    readonly line: number | null,
    options?: ErrorOptions,
  ) {
    super(`${input}${line === null ? "" : `:${line}`}: ${what}. Next: ${next}`, options);
  }
}

/**
 * The module stopped: its memory or stack did not suffice, or it has a defect. Results that it had given before answer no
 * more questions; the next check starts with a fresh instance.
 */
export class CrashError extends TsmigrateError {
  override name = "CrashError";
}
