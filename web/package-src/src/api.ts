// What every form of the package exports, but for how the module is loaded.

export { Analyzer, type StreamOptions } from "./analyzer";
export { CrashError, InputError, LoadError, OptionsError, TsmigrateError } from "./errors";
export type { AnyInput, BlobInput, BytesInput, ByteStream, Input, PathInput, StoredInput, StreamInput, TextInput } from "./inputs";
export type { CheckOptions } from "./options";
export { Result } from "./result";
export type { Change, Decision, Finding, Format, Level, Position, Range, Report, RewriteOptions, Rule, Severity, Span, Targets, Verdict, Words } from "./types";
export { WorkerAnalyzer, WorkerResult, type WorkerOptions } from "./worker-analyzer";
