// Advice on hypertables: tables that could be some, as rule HT-00 tells them.

import type { Finding } from "../engine/report";

export const RULE = "HT-00";

/** A table that could be a hypertable, or that becomes one. */
export interface Candidate {
  /** The finding's number in the report. */
  at: number;
  /** Its name, quoted as in SQL. */
  table: string;
  column: string;
  score: number | null;
  /** The parts of the score: points and what they are for. */
  parts: { points: string; why: string }[];
  /** What else is said of it. */
  words: string;
  /** Where it becomes one because it was asked for. */
  isChosen: boolean;
}

const COULD = /^(.+) could be a hypertable on the column (.+) \(score (-?\d+)\)$/s;
const BECOMES = /^(.+) becomes a hypertable on the column (.+)$/s;

/** The tables that the findings suggest or make hypertables. */
export function candidates(findings: readonly Finding[]): Candidate[] {
  return findings.flatMap((finding, at) => {
    if (finding.rule !== RULE) return [];
    const becomes = BECOMES.exec(finding.message);
    const [, table, column, score] = COULD.exec(finding.message) ?? becomes ?? [];
    if (table === undefined || column === undefined) return [];
    const spelled = /^Score -?\d+: (.*?)\. (?=Nothing|To be)/s.exec(finding.help);
    const parts = (spelled?.[1] ?? "").split(/, (?=[+-]\d+ )/).flatMap((part) => {
      const [, points, why] = /^([+-]\d+) (.*)$/s.exec(part) ?? [];
      return points && why ? [{ points, why }] : [];
    });
    const words = spelled ? finding.help.slice(spelled[0].length) : finding.help;
    return [{ at, table, column, score: score === undefined ? null : Number(score), parts, words, isChosen: becomes !== null }];
  });
}

/** The table and column at the start of a `--hypertable` word. */
export const wordOf = (table: string, column: string, interval: string): string =>
  `${table}:${column}${interval.trim() === "" ? "" : `:${interval.trim()}`}`;

/** The word of the settings that is about this table. */
export const chosenWord = (words: readonly string[], table: string): string | undefined =>
  words.find((word) => word.startsWith(`${table}:`));
