// The bytes of a source in pieces, unpacked where they are compressed.

import { Gunzip } from "fflate";
import { Decompress } from "fzstd";
import type { Source } from "./protocol";

/** So many bytes are read from a file at once. */
const PIECE = 4 << 20;

const startsWith = (bytes: Uint8Array, ...magic: number[]): boolean => magic.every((byte, at) => bytes[at] === byte);

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

type Feed = (piece: Uint8Array, last: boolean) => void;

/** A compressed file that cannot be unpacked. */
export class BadArchive extends Error {
  constructor(
    readonly format: "gzip" | "zstd",
    /** What the unpacking said. */
    readonly said: string,
  ) {
    super(said);
  }

  /** What is wrong, and what to do. */
  words(name: string): { what: string; next: string } {
    const test = `${this.format} -t ${shellWord(name)}`;
    const short = /EOF/.test(this.said);
    return {
      what: short ? `this ${this.format} file ends too early: a part of it is missing` : `this ${this.format} file is damaged (${this.said})`,
      next: `copy it or write it again; this tells whether it is whole: ${test}`,
    };
  }
}

/** A word as a shell reads it. */
export const shellWord = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** What unpacks a file with this beginning. */
function unpacking(head: Uint8Array, take: (bytes: Uint8Array) => void): Feed {
  // What goes wrong where the bytes go is no fault of the archive.
  let failed: { why: unknown } | null = null;
  const guarded = (bytes: Uint8Array): void => {
    try {
      take(bytes);
    } catch (why) {
      failed = { why };
      throw why;
    }
  };
  const guarding =
    (format: BadArchive["format"], push: Feed): Feed =>
    (piece, last) => {
      try {
        push(piece, last);
      } catch (error) {
        throw failed ? failed.why : new BadArchive(format, error instanceof Error ? error.message : String(error));
      }
    };
  if (startsWith(head, 0x1f, 0x8b)) {
    const gunzip = new Gunzip(guarded);
    return guarding("gzip", (piece, last) => gunzip.push(piece, last));
  }
  if (startsWith(head, 0x28, 0xb5, 0x2f, 0xfd)) {
    const zstd = new Decompress(guarded);
    return guarding("zstd", (piece, last) => zstd.push(piece, last));
  }
  return (piece) => take(piece);
}
