// The bytes of a file in pieces, unpacked where they are compressed.

import { HEAD, isArchive, scriptOf, type Open } from "./archive";
import { unpacking } from "./unpack";

/** So many bytes are read from a file at once, and from one that grows when it is unpacked. */
const PIECE = 4 << 20;
const PACKED = 64 << 10;

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

/** True for an archive of pg_dump. */
export const isArchiveFile = async (file: File): Promise<boolean> => isArchive(await bytesOf(file, 0, HEAD));

/** The bytes of a file, or of the script of an archive; `read` hears how many of its own bytes were read. */
export async function* piecesOf(
  file: File,
  open: Open,
  read: (bytes: number) => void = () => {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const head = await bytesOf(file, 0, HEAD);
  if (isArchive(head)) {
    yield* scriptOf(head, file.size, (from, to) => bytesOf(file, from, to), open);
    return;
  }
  const ready: Uint8Array[] = [];
  const feed = await unpacking(await bytesOf(file, 0, 4), (bytes) => ready.push(bytes.slice()));
  const most = feed ? PACKED : PIECE;
  for (let at = 0; at < file.size || at === 0; at += most) {
    const piece = await bytesOf(file, at, at + most);
    if (!feed) yield piece;
    else {
      feed(piece, at + most >= file.size);
      yield* ready.splice(0);
    }
    read(Math.min(at + most, file.size));
  }
}

/** Pieces as one. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces;
  if (first && pieces.length === 1) return first;
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
