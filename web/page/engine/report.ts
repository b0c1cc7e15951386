// The report as the module writes it: analyzer/report.schema.json describes every field.

export type Severity = "error" | "warning" | "note";
export type Verdict = "ready" | "ready-after-rewrite" | "needs-work";

export interface Span {
  start: number;
  end: number;
}

export interface ServerError {
  sqlstate: string;
  text: string;
  detail?: string;
  hint?: string;
}

export interface Edit {
  span: Span;
  text: string;
}

/** A fix: what it does to the statement. */
export type Fix = {
  title: string;
  safety: "none" | "review" | "safe";
  lost?: string;
} & (
  | { kind: "remove"; span: Span }
  | { kind: "edit"; edits: Edit[] }
  | { kind: "surround"; before: string[]; after: string[]; span: Span }
  | { kind: "replace"; span: Span; with: string[] }
);

export interface Related {
  file: string;
  line: number;
  column: number;
  span: Span;
  rule: string | null;
  message: string;
}

export interface Finding {
  rule: string;
  name: string;
  severity: Severity;
  own_severity: Severity | null;
  allowed: string | null;
  object: string | null;
  file: string;
  statement: number;
  span: Span;
  line: number;
  column: number;
  message: string;
  server_error: ServerError | null;
  why: string;
  help: string;
  docs: string;
  related: Related[];
  solved: boolean;
  accepted: boolean;
  left: boolean;
  /** The number of the decision that it waits for, where it is an open error. */
  decision: number | null;
  fix: Fix | null;
  excerpt: { line: number; text: string; start: number; end: number };
}

export interface Counts {
  error: number;
  warning: number;
  note: number;
  solved: number;
  unsolved: number;
  allowed: number;
  lowered: number;
}

/** One way to decide. */
export interface Choice {
  what: string;
  lost?: string;
  command?: string;
}

/** Something that a person decides, with how many open errors it is behind. */
export interface Decision {
  number: number;
  title: string;
  why: string;
  blocks: number;
  rules: Record<string, number>;
  places: { file: string; line: number; column: number; span: Span }[];
  choices: Choice[];
  docs: string;
}

/** Something that was not judged: where there is any, no incompatibility is known, which is not the same as none. */
export interface NotJudged {
  kind: string;
  what: string;
  count: number;
  place: { file: string; line: number; column: number; span: Span };
}

export interface Script {
  rule: string;
  file: string;
  title: string;
  sql: string;
}

export interface InputReport {
  name: string;
  bytes: number;
  statements: number;
  server_version: string | null;
  dump_version: string | null;
}

export interface Report {
  version: number;
  tool: { name: string; version: string };
  target: {
    name: string;
    version: number;
    extension_list: { name: string; date: string; source: string } | null;
    added_extensions: string[];
    refused_extensions: string[];
  };
  options: { accept: string[]; leave: string[]; database: string | null; levels: Record<string, string> };
  inputs: InputReport[];
  verdict: Verdict;
  counts: Counts;
  decisions: Decision[];
  not_judged: NotJudged[];
  lost: string[];
  findings: Finding[];
  scripts: Script[];
}

/** A change of an input, in bytes; `text` is null where a statement becomes a comment. */
export interface Change extends Span {
  text: string | null;
  rule: string | null;
}

export interface Catalogue {
  version: string;
  rules: { id: string; name: string; severity: Severity; fix: "none" | "review" | "safe"; summary: string; docs: string }[];
  target: string;
  targetVersion: number;
  targetVersions: number[];
  extensionLists: { name: string; date: string; source: string; extensions: string[] }[];
}

/** What the person chose: web/src/settings.rs reads it. */
export interface Settings {
  targetVersion?: number;
  timescaledb?: string;
  extensionList?: string;
  take?: string[];
  refuse?: string[];
  accept?: string[];
  leave?: string[];
  levels?: [string, string][];
  database?: string;
  hypertables?: string[];
}

/** Why an input cannot be checked. */
export interface Refusal {
  /** Its name; empty where the settings are refused. */
  input: string;
  what: string;
  next: string;
  line: number | null;
}
