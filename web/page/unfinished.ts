// A statement that somebody is still typing: it is marked where it is, and the last result stays until it is whole.

import type { Input } from "./input";
import type { Refusal, Report, Result } from "./engine/types";

/** The last edit: the input, and the cursor behind it in its document. */
export interface Edited {
  id: number;
  head: number;
}

/** A stretch of an input's document that cannot be read yet. */
export interface Unfinished {
  id: number;
  name: string;
  from: number;
  to: number;
  line: number;
}

/** The rule of statements that PostgreSQL cannot read. */
export const UNREADABLE = "IN-10";

const unreadable = (report: Report, name: string): number =>
  report.findings.filter(({ rule, file }) => rule === UNREADABLE && file === name).length;

/** The statement around the last edit, where it cannot be read and could be before, or nothing was. */
export function unfinishedIn(result: Result, inputs: readonly Input[], { id, head }: Edited, before: Report | null): Unfinished | null {
  const input = inputs.find((one) => one.id === id);
  if (input?.kind !== "text" || unreadable(result.report, input.name) <= (before ? unreadable(before, input.name) : 0)) return null;
  const { doc } = input.content;
  for (const [at, { rule, file, line }] of result.report.findings.entries()) {
    const place = rule === UNREADABLE && file === input.name ? result.places[at] : null;
    if (!place) continue;
    // The place is where PostgreSQL stops reading; the cursor is in the same statement where no other begins between.
    const [from, to] = [input.content.toDoc(place.from), input.content.toDoc(place.to)];
    const between = head < from ? doc.sliceString(head, from) : doc.sliceString(Math.min(to, head), head).replace(/;$/, "");
    if (between.includes(";")) continue;
    const begins = doc.lineAt(from);
    const indent = /^\s*/.exec(begins.text)?.[0].length ?? 0;
    return { id, name: input.name, from: begins.from + indent, to: Math.max(to, head), line };
  }
  return null;
}

/** What an edit has left open (a quote, a comment) as the text was refused for it. */
export function openIn({ input: name, line }: Refusal, inputs: readonly Input[], { id }: Edited): Unfinished | null {
  const input = inputs.find((one) => one.id === id);
  if (input?.kind !== "text" || input.name !== name || line === null) return null;
  const { doc } = input.content;
  const { from, to } = doc.line(Math.min(Math.max(line, 1), doc.lines));
  return { id, name, from, to, line };
}
