// What a fix changes, as a few lines before and after, made from the finding's excerpt: the same as in the reports
// (analyzer/src/report/diff.rs).

import type { Finding } from "./classes";
import type { Edit } from "./schema";

/** How secrets are shown in an excerpt. */
const MASK = "'…'";

export interface Line {
  sign: " " | "-" | "+";
  text: string;
}

/** The lines before and after the fix; null where there is none, or where the excerpt does not show what changes. */
export function changeOf(finding: Finding): Line[] | null {
  const { fix, excerpt } = finding;
  if (!fix || excerpt.text === "") return null;
  const lines = (sign: Line["sign"], text: string): Line[] =>
    text === "" ? [] : text.replace(/\n$/, "").split("\n").map((line) => ({ sign, text: line.trimEnd() }));
  switch (fix.kind) {
    case "remove":
      return lines("-", excerpt.text);
    case "surround":
      return [...lines("+", fix.before.join("\n")), ...lines(" ", excerpt.text), ...lines("+", fix.after.join("\n"))];
    case "replace":
      return [...lines("-", excerpt.text), ...lines("+", fix.with.join("\n"))];
    case "edit": {
      const text = edited(finding, fix.edits);
      if (text === null) return null;
      const [before, after] = [excerpt.text.split("\n"), text.split("\n")];
      const most = Math.min(before.length, after.length);
      let head = 0;
      while (head < most && before[head] === after[head]) head++;
      let tail = 0;
      while (tail < most - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
      return [
        ...lines(" ", before.slice(0, head).join("\n")),
        ...lines("-", before.slice(head, before.length - tail).join("\n")),
        ...lines("+", after.slice(head, after.length - tail).join("\n")),
        ...lines(" ", before.slice(before.length - tail).join("\n")),
      ];
    }
    // A report that shows no excerpt says of a fix only what is lost.
    default:
      return null;
  }
}

/** The excerpt with all edits applied, where all of them are in it. */
function edited(finding: Finding, edits: readonly Edit[]): string | null {
  const { excerpt, span } = finding;
  const bytes = new TextEncoder().encode(excerpt.text);
  const text = (from: number, to: number): string => new TextDecoder().decode(bytes.subarray(from, to));
  const [before, after] = [text(0, excerpt.start), text(excerpt.start, bytes.length)];
  const size = (words: string): number => new TextEncoder().encode(words).length;
  // Behind a mask on the way from the marked place, bytes are not where they were.
  const maskBefore = before.lastIndexOf(MASK);
  const maskAfter = after.indexOf(MASK);
  const first = maskBefore < 0 ? 0 : size(before.slice(0, maskBefore + MASK.length));
  const last = maskAfter < 0 ? bytes.length : excerpt.start + size(after.slice(0, maskAfter));
  const place = (byte: number): number | null => {
    const at = excerpt.start + byte - span.start;
    return at >= first && at <= last ? at : null;
  };
  let out = "";
  let done = 0;
  for (const edit of [...edits].sort((a, b) => a.span.start - b.span.start)) {
    const [from, to] = [place(edit.span.start), place(edit.span.end)];
    if (from === null || to === null || from < done) return null;
    out += text(done, from) + edit.text;
    done = to;
  }
  return edits.length > 0 ? out + text(done, bytes.length) : null;
}
