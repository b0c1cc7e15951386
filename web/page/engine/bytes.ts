// The bytes of a source in pieces, unpacked where they are compressed.

import type { Source } from "./protocol";
import { unpacking } from "./unpack";

/** So many bytes are read from a file at once. */
const PIECE = 4 << 20;

/** Calls `take` with the bytes of a source; `read` hears how many of its own bytes were read. */
export async function eachPiece(
  source: Source | { file: File },
  take: (bytes: Uint8Array) => void,
  read: (bytes: number) => void = () => {},
): Promise<void> {
  if ("text" in source) {
    const bytes = new TextEncoder().encode(source.text);
    for (let at = 0; at < bytes.length; at += PIECE) take(bytes.subarray(at, at + PIECE));
    read(bytes.length);
    return;
  }
  const { file } = source;
  const head = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  const feed = unpacking(head, take);
  for (let at = 0; at < file.size || at === 0; at += PIECE) {
    const piece = new Uint8Array(await file.slice(at, at + PIECE).arrayBuffer());
    feed(piece, at + PIECE >= file.size);
    read(Math.min(at + PIECE, file.size));
  }
}
