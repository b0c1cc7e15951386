// What findings ask of the reader, and how they are put together: as in analyzer/src/report/class.rs.

import type { Entry } from "./schema";

export type Finding = Entry;

/** The worst first. */
export const CLASSES = ["open", "solved", "warning", "note", "allowed"] as const;
export type Class = (typeof CLASSES)[number];

/** What stands above findings of a class. */
export const TITLES: Record<Class, string> = {
  open: "Open errors",
  solved: "Fixed by the rewrite",
  warning: "Warnings",
  note: "Notes",
  allowed: "Allowed by comments in the dump",
};

/** What one finding of a class is. */
export const ONE: Record<Class, string> = {
  open: "open error",
  solved: "fixed error",
  warning: "warning",
  note: "note",
  allowed: "allowed",
};

export function classOf(finding: Finding): Class {
  if (finding.allowed !== null) return "allowed";
  if (finding.severity !== "error") return finding.severity;
  return finding.solved ? "solved" : "open";
}

/** Rules that have to be accepted for this finding's statement to be left out, or kept as a risk: its causes, or itself. */
export function toAccept(finding: Finding): string[] {
  const causes = new Set(finding.related.flatMap((related) => (related.rule ? [related.rule] : [])));
  return causes.size > 0 ? [...causes].sort() : [finding.rule];
}

/** Where a finding is, in words: `schema.sql:12:5`. */
export const placeOf = ({ file, line, column }: { file: string; line: number; column: number }): string =>
  line > 0 ? `${file}:${line}:${column}` : file;

export type By = "rule" | "severity" | "object" | "file";

/** Findings that stand together. */
export interface Group {
  key: string;
  /** The one class of all of them, where they have one. */
  class: Class | null;
  /** The one rule of all of them, where they are put together by it. */
  rule: string | null;
  title: string;
  /** Numbers of findings in the report. */
  members: number[];
}

/** Puts findings together; the worst group first, then in the order of the dump. */
export function groupsOf(findings: readonly Finding[], shown: readonly number[], by: By): Group[] {
  const groups = new Map<string, Group>();
  for (const at of shown) {
    const finding = findings[at];
    if (!finding) continue;
    const own = classOf(finding);
    const [key, title] =
      by === "rule" ? [`${own} ${finding.rule}`, finding.name]
      : by === "severity" ? [own, TITLES[own]]
      : by === "object" ? [`object ${finding.object ?? ""}`, finding.object ?? "no object"]
      : [`file ${finding.file}`, finding.file];
    let group = groups.get(key);
    if (!group) {
      group = { key, class: own, rule: by === "rule" ? finding.rule : null, title, members: [] };
      groups.set(key, group);
    }
    if (group.class !== own) group.class = null;
    group.members.push(at);
  }
  const rank = (group: Group): number => (group.class ? CLASSES.indexOf(group.class) : -1);
  const all = [...groups.values()];
  return by === "rule" || by === "severity" ? all.sort((a, b) => rank(a) - rank(b)) : all;
}

const haystacks = new WeakMap<Finding, string>();

/** True where each word is somewhere in what a finding says. */
export function matches(finding: Finding, words: readonly string[]): boolean {
  if (words.length === 0) return true;
  let text = haystacks.get(finding);
  if (text === undefined) {
    const { rule, name, object, message, server_error: error, excerpt } = finding;
    text = [rule, name, object ?? "", message, error?.sqlstate ?? "", error?.text ?? "", placeOf(finding), excerpt.text]
      .join("\n")
      .toLowerCase();
    haystacks.set(finding, text);
  }
  return words.every((word) => text.includes(word));
}

/** A text in three parts: before the mark, the mark, behind it. The mark is given in bytes. */
export function marked(text: string, start: number, end: number): [string, string, string] {
  const bytes = new TextEncoder().encode(text);
  const decode = (from: number, to?: number): string => new TextDecoder().decode(bytes.subarray(from, to));
  return [decode(0, start), decode(start, Math.max(start, end)), decode(Math.max(start, end))];
}

/** How a finding's fix is chosen: not at all, left or taken, or accepted first. */
export type Choice = "none" | "safe" | "review";

export function choiceOf(finding: Finding): Choice {
  if (finding.allowed !== null || finding.line === 0) return "none";
  if (finding.fix?.safety === "safe") return "safe";
  if (finding.fix?.safety === "review") return "review";
  // Where nothing fixes a statement that fails, it can be left out; one that may go well can be kept.
  const fails = (finding.own_severity ?? finding.severity) === "error";
  return fails || (finding.risk && finding.accepted) ? "review" : "none";
}
