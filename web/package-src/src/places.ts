// From bytes to places in a text: strings and editors count UTF-16 code units.

import type { Bindings } from "virtual:glue";
import type { Position, Range, Span } from "./types";

/** The text of an input, for places in it. */
export interface Text {
  bytes: Uint8Array;
  /** As JavaScript has it: a byte that is not UTF-8 counts as one unit. */
  text: string;
}

/** The places of byte spans in a text. */
export function rangesOf(glue: Bindings, { bytes, text }: Text, spans: readonly Span[]): Range[] {
  const offsets = Uint32Array.from(new Set(spans.flatMap(({ start, end }) => [start, end]))).sort();
  // In an ASCII text a byte is a unit.
  const units = bytes.length === text.length ? offsets : glue.positions(bytes, offsets);
  const places = new Map<number, Position>();
  let line = 1;
  let lineStart = 0;
  offsets.forEach((offset, at) => {
    const unit = Math.min(units[at] ?? 0, text.length);
    for (let next = text.indexOf("\n", lineStart); next !== -1 && next < unit; next = text.indexOf("\n", lineStart)) {
      line += 1;
      lineStart = next + 1;
    }
    places.set(offset, { offset: unit, line, column: unit - lineStart + 1 });
  });
  const start: Position = { offset: 0, line: 1, column: 1 };
  return spans.map((span) => ({ start: places.get(span.start) ?? start, end: places.get(span.end) ?? start }));
}
