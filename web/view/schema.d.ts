// Made from analyzer/report.schema.json.

/**
 * What the findings of a rule are to count as.
 */
export type Level = "off" | "note" | "warning" | "error";
/**
 * The answer to "can this be restored?".
 */
export type Verdict = "ready" | "ready-after-rewrite" | "needs-work";
/**
 * What becomes of a database of a cluster dump.
 */
export type Fate = "kept" | "moved" | "left-out";
/**
 * A kind of what is not judged.
 */
export type Unjudged =
  | "settings"
  | "comments"
  | "objects"
  | "code"
  | "calls"
  | "columns"
  | "values"
  | "read-only"
  | "escapes"
  | "encoding"
  | "conversion"
  | "nul-byte"
  | "size"
  | "drops";
/**
 * How bad it is.
 */
export type Severity = "note" | "warning" | "error";
/**
 * A fix for a finding.
 */
export type Fix = {
  /**
   * What it does, in a few words ("remove NOSUPERUSER").
   */
  title: string;
  safety: Safety;
  /**
   * What the target will not have after it, in words for a person.
   */
  lost?: string | null;
} & Fix1;
/**
 * How safe it is to apply a fix without asking.
 */
export type Safety = "none" | "review" | "safe";
export type Fix1 =
  | {
      kind: "remove";
      span: Span;
    }
  | {
      kind: "edit";
      /**
       * The bytes that change, none overlapping another. Empty where an earlier fix does the work.
       */
      edits: Edit[];
    }
  | {
      kind: "surround";
      /**
       * Statements before, each with its semicolon.
       */
      before: string[];
      /**
       * Statements after.
       */
      after: string[];
      span: Span;
    }
  | {
      kind: "replace";
      span: Span;
      /**
       * The statements that come, each with its semicolon.
       */
      with: string[];
    };

/**
 * What tsmigrate check --format json writes.
 */
export interface Report {
  /**
   * The version of this form: it grows when a field goes or changes its meaning.
   */
  version: 1;
  tool: Tool;
  target: TargetSummary;
  options: OptionsSummary;
  /**
   * The inputs, in their order.
   */
  inputs: InputReport[];
  verdict: Verdict;
  counts: Counts;
  /**
   * What a person has to decide before it restores, what blocks most first.
   */
  decisions: Decision[];
  /**
   * The databases of a cluster dump: none where there are not several.
   */
  databases: DatabaseEntry[];
  /**
   * The options that keep them all, for a shell: `--into-schema shop=shop --into-schema crm=crm`. None where there is nothing
   * to add, or where more than one has hypertables.
   */
  keep_all_databases: string | null;
  /**
   * What was not judged, each kind once: a warning for those who need to be sure.
   */
  not_judged: NotJudgedEntry[];
  /**
   * What the target will not have after the rewrite, in words, each once.
   */
  lost: string[];
  /**
   * Every finding.
   */
  findings: Entry[];
  /**
   * Scripts for a person to run.
   */
  scripts: Script[];
}
/**
 * What was analysed with.
 */
export interface Tool {
  /**
   * `tsmigrate`.
   */
  name: string;
  /**
   * Its version.
   */
  version: string;
}
/**
 * What was analysed for.
 */
export interface TargetSummary {
  /**
   * The destination's name.
   */
  name: string;
  /**
   * Its major version of PostgreSQL.
   */
  version: number;
  /**
   * The list of extensions that counted.
   */
  extension_list: ListSummary | null;
  /**
   * Extensions that it takes besides.
   */
  added_extensions: string[];
  /**
   * Extensions that it does not take whatever the list says.
   */
  refused_extensions: string[];
}
/**
 * A list of extensions, without its contents.
 */
export interface ListSummary {
  /**
   * Its name.
   */
  name: string;
  /**
   * The day it was last seen.
   */
  date: string;
  /**
   * Where it was published.
   */
  source: string;
}
/**
 * What a person asked for, as far as it changes what is found.
 */
export interface OptionsSummary {
  /**
   * Rules whose losses are accepted.
   */
  accept: string[];
  /**
   * Fixes that are not applied: `RULE`, `RULE@LINE` or `RULE@FILE:LINE`.
   */
  leave: string[];
  /**
   * The one database to keep.
   */
  database: string | null;
  /**
   * What rules count as where it is not what they say themselves.
   */
  levels: {
    [k: string]: Level;
  };
  /**
   * The configuration that some of it comes from.
   */
  configuration: string | null;
}
/**
 * One input.
 */
export interface InputReport {
  /**
   * Its name.
   */
  name: string;
  /**
   * Its length in bytes.
   */
  bytes: number;
  /**
   * How many statements it holds.
   */
  statements: number;
  /**
   * The version of the server that was dumped.
   */
  server_version: string | null;
  /**
   * The version of pg_dump or pg_dumpall that wrote it.
   */
  dump_version: string | null;
}
/**
 * How many findings there are.
 */
export interface Counts {
  /**
   * Statements that fail.
   */
  error: number;
  /**
   * What behaves differently or is lost.
   */
  warning: number;
  /**
   * Advice.
   */
  note: number;
  /**
   * Errors that the rewrite fixes.
   */
  solved: number;
  /**
   * Errors that it does not fix.
   */
  unsolved: number;
  /**
   * Findings that comments in the dump allow: they are in no other number.
   */
  allowed: number;
  /**
   * Statements that fail, and that the options count as less than errors.
   */
  lowered: number;
}
/**
 * Something to decide.
 */
export interface Decision {
  /**
   * Its number, from 1: the one that blocks most comes first.
   */
  number: number;
  /**
   * What is the matter.
   */
  title: string;
  /**
   * Why the target refuses it.
   */
  why: string;
  /**
   * How many open errors it is behind.
   */
  blocks: number;
  /**
   * Their rules, with how many of each.
   */
  rules: {
    [k: string]: number;
  };
  /**
   * The first of their places.
   */
  places: PlaceEntry[];
  /**
   * What can be done, the best first: any one of them is enough.
   */
  choices: Choice[];
  /**
   * A page to read on.
   */
  docs: string;
}
/**
 * A place in an input.
 */
export interface PlaceEntry {
  /**
   * The input's name.
   */
  file: string;
  /**
   * Its line, from 1; 0 where the input is a live server, which has no lines.
   */
  line: number;
  /**
   * Its column, from 1, in characters.
   */
  column: number;
  span: Span;
}
/**
 * A half-open range of bytes, counted from the start of one input.
 */
export interface Span {
  /**
   * First byte.
   */
  start: number;
  /**
   * One past the last byte.
   */
  end: number;
}
/**
 * One way to decide.
 */
export interface Choice {
  /**
   * What to do.
   */
  what: string;
  /**
   * What the target will not have then.
   */
  lost?: string | null;
  /**
   * What to type: a command, an option of the same command, or SQL.
   */
  command?: string | null;
}
/**
 * A database of a cluster dump.
 */
export interface DatabaseEntry {
  /**
   * Its name.
   */
  name: string;
  fate: Fate;
  /**
   * Its schemas.
   */
  schemas: SchemaEntry[];
  /**
   * What another database has by the same name, and a service can have once: `publication p of crm`.
   */
  meets: string[];
}
/**
 * A schema of a database.
 */
export interface SchemaEntry {
  /**
   * Its name.
   */
  name: string;
  /**
   * How many objects the dump creates in it.
   */
  objects: number;
  /**
   * What it becomes where the database is kept beside the others.
   */
  becomes: string | null;
}
/**
 * Something that was not judged. Where there is any, a verdict without open errors means that no incompatibility is known.
 */
export interface NotJudgedEntry {
  kind: Unjudged;
  /**
   * What it is, in words.
   */
  what: string;
  /**
   * How many times.
   */
  count: number;
  place: PlaceEntry;
}
/**
 * A finding with all that there is to say about it.
 */
export interface Entry {
  /**
   * The rule's id.
   */
  rule: string;
  /**
   * The rule's name.
   */
  name: string;
  severity: Severity;
  /**
   * How bad the rule itself says it is, where the options say otherwise.
   */
  own_severity: Severity | null;
  /**
   * The reason that a comment in the dump gives for allowing it; it does not count then.
   */
  allowed: string | null;
  /**
   * The object that it is about.
   */
  object: string | null;
  /**
   * The input's name.
   */
  file: string;
  /**
   * The statement's number in it, from 1; 0 where it is no statement.
   */
  statement: number;
  span: Span;
  /**
   * The line of the first byte, from 1; 0 where the input is a live server, which has no lines.
   */
  line: number;
  /**
   * Its column, from 1, in characters.
   */
  column: number;
  /**
   * What will happen.
   */
  message: string;
  /**
   * What the server answers.
   */
  server_error: Answer | null;
  /**
   * Why the target refuses it, or what is lost.
   */
  why: string;
  /**
   * What to do.
   */
  help: string;
  /**
   * A page to read on.
   */
  docs: string;
  /**
   * Other places: the cause, what depends on it.
   */
  related: RelatedEntry[];
  /**
   * True where the rewrite fixes it.
   */
  solved: boolean;
  /**
   * True where its loss was accepted: that of its rule, or of its cause.
   */
  accepted: boolean;
  /**
   * True where it was asked to leave it as it is.
   */
  left: boolean;
  /**
   * True where accepting it keeps the statement, with the risk that it fails: nothing is left out.
   */
  risk: boolean;
  /**
   * The number of the decision that it waits for, where it is an open error.
   */
  decision: number | null;
  /**
   * The change that fixes it.
   */
  fix: Fix | null;
  excerpt: Excerpt;
}
/**
 * The words of a server's answer.
 */
export interface Answer {
  /**
   * The five characters of the error's class and code.
   */
  sqlstate: string;
  /**
   * The message.
   */
  text: string;
  /**
   * The DETAIL line.
   */
  detail?: string | null;
  /**
   * The HINT line.
   */
  hint?: string | null;
}
/**
 * Another place of a finding, such as its cause.
 */
export interface RelatedEntry {
  /**
   * The input's name.
   */
  file: string;
  /**
   * Its line, from 1.
   */
  line: number;
  /**
   * Its column, from 1, in characters.
   */
  column: number;
  span: Span;
  /**
   * The rule that found the cause there.
   */
  rule: string | null;
  /**
   * What is there.
   */
  message: string;
}
/**
 * A change of bytes.
 */
export interface Edit {
  span: Span;
  /**
   * The text put there. Reports show it with secrets masked.
   */
  text: string;
}
/**
 * The lines of the dump that a finding points into, secrets masked.
 */
export interface Excerpt {
  /**
   * The number of its first line.
   */
  line: number;
  /**
   * The text, at most a few lines.
   */
  text: string;
  /**
   * First byte of the marked part in `text`.
   */
  start: number;
  /**
   * One past the last byte of the marked part.
   */
  end: number;
}
/**
 * SQL that the analysis wrote for a person to run, such as what recreates hypertables.
 */
export interface Script {
  /**
   * The rule that wrote it.
   */
  rule: string;
  /**
   * A name for its file, such as `hypertables.sql`.
   */
  file: string;
  /**
   * What it does and when to run it, in one line.
   */
  title: string;
  /**
   * Its text: statements with comments, in the order to run them in. Reports show it with secrets masked.
   */
  sql: string;
}
