// Archives of pg_dump: the script of one. Of the file only the table of contents is read, and the rows of TimescaleDB's catalogs.

import { unzlibSync } from "fflate";
import { decompress } from "fzstd";
import type { Analyzer } from "../../package-src/src/api";

type ArchiveScript = NonNullable<ReturnType<Analyzer["archive"]>>;

/** Reads bytes of a file from here to there. */
type Read = (from: number, to: number) => Promise<Uint8Array>;

/** Opens an archive by its first bytes; null where its table of contents is longer. */
export type Open = (head: Uint8Array, isWhole: boolean) => ArchiveScript | null;

/** So many of the first bytes tell whether it is one. */
export const HEAD = 512;

/** So much is read at first for the table of contents, and for rows. */
const FIRST = 1 << 20;
const ROWS = 64 << 10;
/** Rows of a catalog are shorter than this; without them fewer tables are known for hypertables. */
const MOST = 64 << 20;

const ascii = (bytes: Uint8Array, from: number, to: number): string => String.fromCharCode(...bytes.subarray(from, to));

/** Custom format, or the toc.dat of a directory. */
const isCustom = (head: Uint8Array): boolean => ascii(head, 0, 5) === "PGDMP";

const isTar = (head: Uint8Array): boolean => ascii(head, 0, 8) === "toc.dat\0" && ascii(head, 257, 262) === "ustar";

/** True for a file that begins as an archive does. */
export const isArchive = (head: Uint8Array): boolean => isCustom(head) || isTar(head);

/** A member's length in the head of a tar file's. */
const lengthOf = (head: Uint8Array): number => parseInt(ascii(head, 124, 136).replaceAll("\0", " ").trim(), 8) || 0;

/** The first bytes of an archive's script that are needed, and no more of them than twice. */
async function opened(open: Open, read: Read, from: number, to: number): Promise<ArchiveScript> {
  for (let size = FIRST; ; size *= 4) {
    const isWhole = from + size >= to;
    const script = open(await read(from, Math.min(from + size, to)), isWhole);
    if (script) return script;
  }
}

/** The rows of a block of a custom archive; null where they cannot be read here. */
async function rowsAt(script: ArchiveScript, read: Read, at: number): Promise<Uint8Array | null> {
  const number = script.number_size();
  for (let size = ROWS; size <= MOST; size *= 4) {
    const bytes = await read(at, at + size);
    const chunks: Uint8Array[] = [];
    // The kind of the block, and its entry's number.
    let next = 2 + number;
    for (;;) {
      // A sign, then bytes, the smallest first.
      let length = 0;
      for (let byte = number; byte > 0; byte--) length = length * 256 + (bytes[next + byte] ?? 0);
      const from = next + 1 + number;
      if (from > bytes.length || from + length > bytes.length) break;
      if (length === 0) return unpacked(script.packing(), chunks);
      chunks.push(bytes.subarray(from, from + length));
      next = from + length;
    }
    // That was all of the file.
    if (bytes.length < size) return null;
  }
  return null;
}

function unpacked(packing: string, chunks: readonly Uint8Array[]): Uint8Array | null {
  const packed = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    packed.set(chunk, at);
    at += chunk.length;
  }
  switch (packing) {
    case "none":
      return packed;
    case "gzip":
      return unzlibSync(packed);
    case "zstd":
      return decompress(packed);
    default:
      return null;
  }
}

/** Where the members of a tar file are. */
async function membersOf(read: Read, size: number): Promise<Map<string, [number, number]>> {
  const members = new Map<string, [number, number]>();
  for (let at = 0; at + 512 <= size; ) {
    const head = await read(at, at + 512);
    const name = ascii(head, 0, 100).split("\0", 1)[0] ?? "";
    if (name === "") break;
    const length = lengthOf(head);
    members.set(name, [at + 512, at + 512 + length]);
    at += 512 + Math.ceil(length / 512) * 512;
  }
  return members;
}

interface Wanted {
  id: number;
  at: number | null;
  file: string | null;
}

/** Gives the script the rows that an analysis looks at, as far as they are in this file. */
async function fill(script: ArchiveScript, read: Read, size: number, isInTar: boolean): Promise<void> {
  const wanted = JSON.parse(script.wanted()) as Wanted[];
  if (wanted.length === 0) return;
  const members = isInTar ? await membersOf(read, size) : null;
  for (const { id, at, file } of wanted) {
    const member = file === null ? undefined : members?.get(file);
    const rows = member ? await read(...member) : at === null ? null : await rowsAt(script, read, at);
    if (rows) script.rows(id, rows);
  }
}

/** The script of an archive with this head, in parts. */
export async function* scriptOf(head: Uint8Array, size: number, read: Read, open: Open): AsyncGenerator<Uint8Array, void, undefined> {
  const isInTar = isTar(head);
  const [from, to] = isInTar ? [512, Math.min(512 + lengthOf(head), size)] : [0, size];
  const script = await opened(open, read, from, to);
  try {
    await fill(script, read, size, isInTar);
    for (let part = script.next(); part; part = script.next()) yield part;
  } finally {
    script.free();
  }
}
