// The bytes of a source in pieces, unpacked where they are compressed.

import type { Source } from "./protocol";
import { unpacking } from "./unpack";

/** So many bytes are read from a file at once. */
const PIECE = 4 << 20;

/** A file that the browser does not give any more. */
export class Unreadable extends Error {
  readonly what = "the file cannot be read: it was changed, moved or deleted since it was opened, or it is a folder";
  readonly next = "open it again";
}

async function bytesOf(file: File, from: number, to: number): Promise<Uint8Array> {
  try {
    return new Uint8Array(await file.slice(from, to).arrayBuffer());
  } catch (error) {
    throw new Unreadable(String(error));
  }
}

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
  const head = await bytesOf(file, 0, 4);
  const feed = await unpacking(head, take);
  for (let at = 0; at < file.size || at === 0; at += PIECE) {
    const piece = await bytesOf(file, at, at + PIECE);
    feed(piece, at + PIECE >= file.size);
    read(Math.min(at + PIECE, file.size));
  }
}
