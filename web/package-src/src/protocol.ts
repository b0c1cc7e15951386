// What a worker is asked, and what it answers.

import type { StoredInput } from "./inputs";
import type { CheckOptions } from "./options";
import type { Change, Format, Report, RewriteOptions, Rule, Targets, Words } from "./types";

/** What a worker is asked. Whoever asks for a check numbers its result. */
export type Request =
  | { op: "start"; module: WebAssembly.Module }
  | { op: "check"; result: number; inputs: readonly StoredInput[]; options: CheckOptions }
  | { op: "rewrite"; result: number; input: number; options: RewriteOptions }
  | { op: "changes"; result: number; input: number }
  | { op: "format"; result: number; format: Format }
  | { op: "free"; result: number };

export interface Known {
  version: string;
  rules: Rule[];
  targets: Targets;
}

export interface Answers {
  start: Known;
  check: { report: Report; words: Words };
  rewrite: Blob;
  changes: Change[] | null;
  format: string;
  free: null;
}

/** An error on its way between threads, which do not keep its class. */
export interface Packed {
  kind: "input" | "options" | "crash" | "lost";
  message: string;
  input: string;
  what: string;
  next: string;
  line: number | null;
}

export type Told =
  | { kind: "answer"; value: Answers[keyof Answers] }
  | { kind: "progress"; bytes: number }
  | { kind: "failed"; error: Packed };
