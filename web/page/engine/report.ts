// What the module writes: the report, whose types are made of its schema, and what it says besides.

import type { Severity, Span } from "../../view/schema";

export type { Choice, Decision, Edit, Entry as Finding, Fix, InputReport, Report, Script, Severity, Span, Verdict } from "../../view/schema";

/** A change of an input, in bytes; `text` is null where a statement becomes a comment. */
export interface Change extends Span {
  text: string | null;
  rule: string | null;
}

/** What there is to read about a rule. */
export interface Rule {
  id: string;
  name: string;
  /** The worst that it reports. */
  severity: Severity;
  /** The best fix that it offers. */
  fix: "none" | "review" | "safe";
  summary: string;
  what: string;
  why: string;
  /** The server's words. */
  server: string[];
  help: string;
  /** A statement that it finds, and what becomes of it; empty where there is none. */
  before: string;
  after: string;
  docs: string;
}

export interface Catalogue {
  version: string;
  rules: Rule[];
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
