// Compressed dumps as they stream. What was cut off or damaged must not pass for a shorter dump.

import { Gunzip } from "fflate";
import { Decompress } from "fzstd";

/** Takes the next bytes; `last` where none come after them. */
export type Feed = (piece: Uint8Array, last: boolean) => void;

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
    const what = /EOF/.test(this.said)
      ? `this ${this.format} file ends too early: a part of it is missing`
      : `this ${this.format} file is cut off or damaged (${this.said})`;
    return { what, next: `copy it or write it again; this tells whether it is whole: ${this.format} -t ${shellWord(name)}` };
  }
}

/** A word as a shell reads it. */
const shellWord = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

const startsWith = (bytes: Uint8Array, ...magic: number[]): boolean => magic.every((byte, at) => bytes[at] === byte);

/** What unpacks a file with this beginning. */
export function unpacking(head: Uint8Array, take: (bytes: Uint8Array) => void): Feed {
  if (startsWith(head, 0x1f, 0x8b)) return guarding("gzip", take, gunzip);
  if (startsWith(head, 0x28, 0xb5, 0x2f, 0xfd)) return guarding("zstd", take, unzstd);
  return (piece) => take(piece);
}

/** What goes wrong in the unpacking is the archive's fault; what goes wrong where the bytes go is not. */
function guarding(format: BadArchive["format"], take: (bytes: Uint8Array) => void, unpacker: (take: (bytes: Uint8Array) => void) => Feed): Feed {
  let failed: { why: unknown } | null = null;
  const feed = unpacker((bytes) => {
    try {
      take(bytes);
    } catch (why) {
      failed = { why };
      throw why;
    }
  });
  return (piece, last) => {
    try {
      feed(piece, last);
    } catch (error) {
      throw failed ? failed.why : new BadArchive(format, error instanceof Error ? error.message : String(error));
    }
  };
}

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/** Unpacks gzip, of one member or several, and compares each with its checksum and length: fflate looks at neither. */
function gunzip(take: (bytes: Uint8Array) => void): Feed {
  let crc = -1;
  let length = 0;
  const unpacker = new Gunzip((bytes) => {
    for (const byte of bytes) crc = (CRC[(crc ^ byte) & 255] ?? 0) ^ (crc >>> 8);
    length = (length + bytes.length) >>> 0;
    if (bytes.length > 0) take(bytes);
  });
  /** The last bytes that came, and how many came before them. */
  let tail = new Uint8Array(0);
  let before = 0;
  const endsAt = (end: number): void => {
    const trailer = new DataView(tail.buffer, tail.byteOffset + end - before - 8, 8);
    if (trailer.getUint32(0, true) !== ~crc >>> 0 || trailer.getUint32(4, true) !== length) throw new Error("its checksum is not right");
    crc = -1;
    length = 0;
  };
  unpacker.onmember = endsAt;
  return (piece, last) => {
    // A trailer may be in two pieces.
    const kept = tail.subarray(Math.max(0, tail.length - 512));
    before += tail.length - kept.length;
    tail = new Uint8Array(kept.length + piece.length);
    tail.set(kept);
    tail.set(piece, kept.length);
    unpacker.push(piece, last);
    if (last) endsAt(before + tail.length);
  };
}

/** The length that a zstd frame says it has; null where it says none. */
function frameLength(head: Uint8Array): number | null {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const descriptor = view.getUint8(4);
  const single = (descriptor >> 5) & 1;
  const at = 5 + (single ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  switch (descriptor >> 6) {
    case 0:
      return single ? view.getUint8(at) : null;
    case 1:
      return view.getUint16(at, true) + 256;
    case 2:
      return view.getUint32(at, true);
    default:
      return Number(view.getBigUint64(at, true));
  }
}

/** Unpacks zstd. Its checksum is not looked at; the length of the first frame is. */
function unzstd(take: (bytes: Uint8Array) => void): Feed {
  let length = 0;
  let promised: number | null | undefined;
  const unpacker = new Decompress((bytes) => {
    length += bytes.length;
    take(bytes);
  });
  return (piece, last) => {
    promised ??= piece.length >= 18 ? frameLength(piece) : null;
    unpacker.push(piece, last);
    if (last && promised !== null && length < promised) throw new Error("it is shorter than it says");
  };
}
