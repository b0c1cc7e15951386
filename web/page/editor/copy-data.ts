// Folding the data of a COPY away.

import { foldService } from "@codemirror/language";
import type { Text } from "@codemirror/state";

/** So many lines are looked at for the end of the data. */
const FAR = 200_000;

const ends = new WeakMap<Text, Map<number, number>>();

/** Where the data ends that begins behind this line; -1 where it does not. */
function endOf(doc: Text, line: number): number {
  const known = ends.get(doc) ?? new Map<number, number>();
  ends.set(doc, known);
  const found = known.get(line);
  if (found !== undefined) return found;
  let at = doc.line(line).to;
  let end = -1;
  let left = FAR;
  for (const data of doc.iterLines(line + 1)) {
    if (data === "\\." || data === "\\.\r") {
      end = at;
      break;
    }
    at += data.length + 1;
    if (--left === 0) break;
  }
  known.set(line, end);
  return end;
}

export const copyFolding = foldService.of((state, from) => {
  const line = state.doc.lineAt(from);
  if (line.number === state.doc.lines || !/^COPY .*\sFROM stdin\b.*;\r?$/i.test(line.text)) return null;
  const end = endOf(state.doc, line.number);
  return end > line.to + 1 ? { from: line.to, to: end } : null;
});
