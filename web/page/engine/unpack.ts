// Compressed dumps as they stream. What was cut off or damaged must not pass for a shorter dump.

import { Gunzip } from "fflate";
import { Decompress } from "fzstd";
import xxhash, { type XXHash, type XXHashAPI } from "xxhash-wasm";

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

/** What unpacks a file with this beginning, into `take`, which does not throw; null where it is not compressed. */
export async function unpacking(head: Uint8Array, take: (bytes: Uint8Array) => void): Promise<Feed | null> {
  if (startsWith(head, 0x1f, 0x8b)) return guarding("gzip", gunzip(take));
  if (startsWith(head, 0x28, 0xb5, 0x2f, 0xfd)) return guarding("zstd", unzstd(take, await xxhash()));
  return null;
}

/** What goes wrong in the unpacking is the archive's fault. */
const guarding = (format: BadArchive["format"], feed: Feed): Feed => (piece, last) => {
  try {
    feed(piece, last);
  } catch (error) {
    throw new BadArchive(format, error instanceof Error ? error.message : String(error));
  }
};

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

/** The head of a zstd frame: its own length, and what it says of the content. */
interface Head {
  size: number;
  /** The length of the content; null where it is not said. */
  content: number | null;
  /** A checksum follows the last block. */
  isSummed: boolean;
}

const FRAME = 0xfd2fb528;
/** So many bytes hold any head. */
const HEAD = 18;

function headOf(bytes: Uint8Array): Head {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const descriptor = view.getUint8(4);
  const single = (descriptor >> 5) & 1;
  const at = 5 + (single ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  const isSummed = (descriptor & 4) !== 0;
  switch (descriptor >> 6) {
    case 0:
      return single ? { size: at + 1, content: view.getUint8(at), isSummed } : { size: at, content: null, isSummed };
    case 1:
      return { size: at + 2, content: view.getUint16(at, true) + 256, isSummed };
    case 2:
      return { size: at + 4, content: view.getUint32(at, true), isSummed };
    default:
      return { size: at + 8, content: Number(view.getBigUint64(at, true)), isSummed };
  }
}

/** Unpacks one frame, and compares it with its length and its checksum: fzstd looks at neither. */
class Frame {
  readonly #unpacker: Decompress;
  readonly #sum: XXHash<bigint>;
  #length = 0;

  constructor(
    readonly head: Head,
    { create64 }: XXHashAPI,
    take: (bytes: Uint8Array) => void,
  ) {
    const sum = (this.#sum = create64());
    this.#unpacker = new Decompress((bytes) => {
      this.#length += bytes.length;
      sum.update(bytes);
      take(bytes);
    });
  }

  push(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#unpacker.push(bytes);
  }

  /** The frame has ended; `sum` is the checksum behind it. */
  end(sum: number | null): void {
    if (this.head.content !== null && this.#length !== this.head.content) throw new Error("it has not the length that it says");
    if (sum !== null && Number(this.#sum.digest() & 0xffffffffn) !== sum) throw new Error("its checksum is not right");
  }
}

/** Unpacks zstd, of one frame or several. */
function unzstd(take: (bytes: Uint8Array) => void, sums: XXHashAPI): Feed {
  let held: Uint8Array = new Uint8Array(0);
  let frame: Frame | null = null;
  /** What comes next in the frame, after so many bytes that are its blocks'. */
  let next: "block" | "sum" = "block";
  let skip = 0;
  return (piece, last) => {
    const bytes = new Uint8Array(held.length + piece.length);
    bytes.set(held);
    bytes.set(piece, held.length);
    const view = new DataView(bytes.buffer);
    let at = 0;
    let sent = 0;
    const send = (): void => {
      frame?.push(bytes.subarray(sent, at));
      sent = at;
    };
    const end = (sum: number | null): void => {
      send();
      frame?.end(sum);
      frame = null;
    };
    for (;;) {
      const skipped = Math.min(skip, bytes.length - at);
      at += skipped;
      skip -= skipped;
      const left = bytes.length - at;
      if (skip > 0) break;
      if (frame === null) {
        if (left < (last ? 8 : HEAD)) break;
        sent = at;
        const magic = view.getUint32(at, true);
        // A frame of somebody else's, to be skipped.
        if (magic >>> 4 === 0x184d2a5) skip = 8 + view.getUint32(at + 4, true);
        else if (magic === FRAME) {
          const padded = new Uint8Array(HEAD);
          padded.set(bytes.subarray(at, at + HEAD));
          frame = new Frame(headOf(padded), sums, take);
          skip = frame.head.size;
          next = "block";
        } else throw new Error("what follows is no zstd");
      } else if (next === "block") {
        if (left < 3) break;
        const block = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
        // A block of one byte that is repeated has that byte alone.
        skip = 3 + (((block >> 1) & 3) === 1 ? 1 : block >> 3);
        if (block & 1) next = "sum";
      } else if (!frame.head.isSummed) end(null);
      else {
        if (left < 4) break;
        const sum = view.getUint32(at, true);
        at += 4;
        end(sum);
      }
    }
    send();
    held = bytes.slice(at);
    if (last && (frame !== null || held.length > 0 || skip > 0)) throw new Error("unexpected EOF");
  };
}
