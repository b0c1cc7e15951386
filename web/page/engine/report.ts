// What a check gives: the report, whose types are made of its schema, and what it says besides.

import type { Rule, Targets } from "../../package-src/src/api";

export type { Choice, Decision, Edit, Entry as Finding, Fix, InputReport, Report, Script, Severity, Span, Verdict } from "../../view/schema";

export type { Rule };

/** The rules, and what there is to choose from. */
export interface Catalogue {
  version: string;
  rules: Rule[];
  target: string;
  targetVersion: number;
  targetVersions: number[];
  extensionLists: Targets["extensionLists"];
}

/** What the person chose. */
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
