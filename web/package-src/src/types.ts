// The values that a check gives. Those of the report are made from analyzer/report.schema.json, by web/view/build.mjs.

import type { Report as Whole, Decision, Entry, Level, Severity, Span, Verdict } from "../../view/schema";

export type { Decision, Level, Severity, Span, Verdict };

/** A place in the text of an input. */
export interface Position {
  /** UTF-16 code units from the start of the text, from 0: an index into the string. */
  offset: number;
  /** The line, from 1. */
  line: number;
  /** The column, from 1, in UTF-16 code units. */
  column: number;
}

/** A range in the text of an input. `end` is behind its last character. */
export interface Range {
  start: Position;
  end: Position;
}

/** A finding: where, what, why, what to do. `span`, `line` and `column` are the report's, in bytes and characters. */
export type Finding = Entry & {
  /** The input's number, from 0. */
  input: number;
  /** The place in the text, in UTF-16; null where the input was a stream, of which no text is kept. */
  range: Range | null;
};

/** The report, as `format("json")` has it, with places in the texts. */
export type Report = Omit<Whole, "findings"> & { findings: Finding[] };

/** A change of an input's text, as editors apply it. */
export interface Change extends Range {
  /** What comes in its place; null where the statement becomes a comment, or is deleted. */
  text: string | null;
  /** The rule that removes the statement; null where text is replaced. */
  rule: string | null;
}

/** The forms that a report can have. */
export type Format = "json" | "sarif" | "html" | "markdown" | "github";

/** What is known of a rule. */
export interface Rule {
  /** Its id, which never changes: "TSP-03". */
  id: string;
  /** Its name: "default-tablespace". */
  name: string;
  /** The worst that it finds. */
  severity: Severity;
  /** How safe its fix is, and "none" where it has none. */
  fix: "none" | "review" | "safe";
  /** What it looks for, in one sentence. */
  summary: string;
  /** What it looks for in full. */
  what: string;
  /** Why the service refuses it. */
  why: string;
  /** The server's words. */
  server: string[];
  /** What to do. */
  help: string;
  /** Statements that it finds, and what becomes of them; empty where there is no example. */
  before: string;
  after: string;
  /** A page to read on. */
  docs: string;
}

/** The answer in words, as the command line says it. */
export interface Words {
  /** A sign before the verdict. */
  sign: string;
  /** The verdict in a few words: "Needs 2 decisions". */
  title: string;
  /** What it means here, in one sentence. */
  sentence: string;
  /** What was checked, for which target, and what was not judged: names, or none, and what is said of each. */
  checked: [string, string][];
}

/** What can be chosen of the service. */
export interface Targets {
  /** The service's name. */
  name: string;
  /** PostgreSQL's major version that counts where none is chosen. */
  version: number;
  /** All versions that can be chosen. */
  versions: number[];
  /** Published lists of extensions, the newest last: that one counts where none is chosen. */
  extensionLists: { name: string; date: string; source: string; extensions: string[] }[];
}

/** How a rewrite is written. */
export interface RewriteOptions {
  /** Delete removed statements, which become comments otherwise. */
  delete?: boolean;
}
