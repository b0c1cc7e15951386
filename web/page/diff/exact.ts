// Where a rewritten dump differs from the dump. What was planned says so exactly, to the character, however large the
// dump is: nothing has to be guessed by comparing.

import type { TextChange } from "../engine/types";

/** A part of the dump and what has become of it, in UTF-16 code units. */
export interface Changed {
  fromA: number;
  toA: number;
  fromB: number;
  toB: number;
}

/** How long the comment is that a text becomes: a line that says why, and a mark before each line. */
function commented(removed: string, after: string, at: number): number {
  const head = after.indexOf("\n", at) + 1 - at;
  const marks = removed === "" ? 0 : 1 + (removed.match(/(?:\n|\r(?!\n))(?=[^])/g)?.length ?? 0);
  return head > 0 ? head + removed.length + 3 * marks : 0;
}

/** The places that differ; null where `after` is not what these changes make of `before`. */
export function exact(before: string, after: string, planned: readonly TextChange[], isDeleted: boolean): Changed[] | null {
  const changed: Changed[] = [];
  let [a, b] = [0, 0];
  /** Steps over text that stays; a comment before it may have been given an end of its line. */
  const keep = (until: number): boolean => {
    const kept = before.slice(a, until);
    if (!after.startsWith(kept, b)) {
      const last = changed.at(-1);
      if (!last || after[b] !== "\n" || !after.startsWith(kept, b + 1)) return false;
      b += 1;
      last.toB = b;
    }
    a = until;
    b += kept.length;
    return true;
  };
  for (const { from, to, text } of planned) {
    if (from < a || !keep(from)) return null;
    // A comment is closed before what comes directly behind it.
    if (text !== null && !after.startsWith(text, b) && after.startsWith(`\n${text}`, b)) b += 1;
    const length = text !== null ? text.length : isDeleted ? 0 : commented(before.slice(from, to), after, b);
    changed.push({ fromA: from, toA: to, fromB: b, toB: b + length });
    a = to;
    b += length;
  }
  if (!keep(before.length)) return null;
  if (b === after.length - 1 && after.endsWith("\n")) b += 1;
  return b === after.length ? changed : null;
}

/** Places in a text whose line ends are all one character, as editors hold it: in ascending order. */
export function inEditor(text: string): (place: number) => number {
  if (!text.includes("\r\n")) return (place) => place;
  const ends: number[] = [];
  for (let at = text.indexOf("\r\n"); at >= 0; at = text.indexOf("\r\n", at + 2)) ends.push(at + 1);
  return (place) => {
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((ends[middle] ?? 0) < place) low = middle + 1;
      else high = middle;
    }
    return place - low;
  };
}
