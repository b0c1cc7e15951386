// The worker: the module, and what the page asks of it. It ends with the page's patience: a check is cancelled by ending
// the worker and starting another.

import { initSync, Checker, ParseCache, catalogue, decode, positions, type Checked } from "../../module/tsmigrate_web.js";
import { eachPiece, Unreadable } from "./bytes";
import { foreign, HEAD as KNOWN_BY } from "./foreign";
import type { Answers, Asked, Format, Range, Request, Result, Settings, Source, TextChange, Told } from "./protocol";
import type { Words } from "../../view/words";
import type { Catalogue, Change, Refusal, Report } from "./report";
import { BadArchive } from "./unpack";

const scope = self as unknown as DedicatedWorkerGlobalScope;

/** The last check: what reports and rewrites are made from. */
let last: { checked: Checked; inputs: Source[] } | null = null;

/** What a check of edited texts leaves for the next one. */
let cache: ParseCache | null = null;

const tell = (told: Told): void => scope.postMessage(told);

/** The module refuses an input with JSON. */
class Refused extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal.what);
  }
}

/** Why a file's bytes do not come, as a refusal; anything else as it is. */
function refused(input: string, error: unknown): unknown {
  if (error instanceof BadArchive) return new Refused({ input, ...error.words(input), line: null });
  if (error instanceof Unreadable) return new Refused({ input, what: error.what, next: error.next, line: null });
  return error;
}

function refusing<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("{")) throw new Refused(JSON.parse(error.message) as Refusal);
    throw error;
  }
}

const sizeOf = (source: Source): number => ("text" in source ? source.text.length : source.file.size);

/** Texts of editors are checked again and again, and little of them changes. A file on the disk stays as it is. */
function cacheOf(inputs: Source[], remember: boolean): ParseCache | null {
  if (remember && inputs.every((source) => "text" in source || source.shown)) return (cache ??= new ParseCache());
  cache?.free();
  return (cache = null);
}

/** What the module says where it stops (web/src/lib.rs, web/src/memory.rs): the settings are not to blame. */
const STOPPED = /^(panicked at |out of memory)/;

/** Settings that cannot be are refused in words; nothing has been read by then. */
function checkerFor(inputs: Source[], settings: Settings, remember: boolean): Checker {
  const json = JSON.stringify(settings);
  try {
    return cacheOf(inputs, remember)?.checker(json) ?? new Checker(json);
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError || !(error instanceof Error) || STOPPED.test(error.message)) throw error;
    throw new Refused({ input: "", what: error.message, next: "correct the settings", line: null });
  }
}

/** A file of another program is refused by its beginning. */
function refuseForeign(input: string, bytes: Uint8Array): void {
  const known = foreign(new TextDecoder().decode(bytes.subarray(0, KNOWN_BY)));
  if (known) throw new Refused({ input, ...known, line: null });
}

/** So many findings are shown in a page; reports and rewrites are made of all. */
const MOST = 20_000;
/** So many go to the page at once. */
const PART = 1000;

async function check(id: number, inputs: Source[], settings: Settings, remember: boolean): Promise<Result> {
  const began = performance.now();
  last?.checked.free();
  last = null;
  const checker = checkerFor(inputs, settings, remember);
  const total = inputs.reduce((sum, source) => sum + sizeOf(source), 0);
  let before = 0;
  let told = began;
  const held: (Uint8Array | null)[] = [];
  for (const source of inputs) {
    checker.begin(source.name);
    let isFirst = true;
    const pieces: Uint8Array[] | null = "text" in source || source.shown ? [] : null;
    await eachPiece(
      source,
      (bytes) => {
        pieces?.push(bytes.slice());
        if (isFirst) refuseForeign(source.name, bytes);
        isFirst = false;
        refusing(() => checker.feed(bytes));
      },
      (done) => {
        if (performance.now() - told > 100) {
          told = performance.now();
          tell({ id, kind: "progress", done: before + done, total });
        }
      },
    ).catch((error: unknown) => {
      throw refused(source.name, error);
    });
    held.push(pieces && joined(pieces));
    before += sizeOf(source);
    refusing(() => checker.end());
  }
  const checked = checker.finish();
  last = { checked, inputs };
  const report = JSON.parse(checked.view(MOST)) as Report;
  const { places, changes } = placed(checked, report, inputs, held);
  for (let at = 0; at < report.findings.length; at += PART) {
    const part = { findings: report.findings.slice(at, at + PART), places: places.slice(at, at + PART) };
    tell({ id, kind: "part", part });
  }
  changes.forEach((all, input) => {
    for (let at = 0; all && at < all.length; at += PART) {
      tell({ id, kind: "part", part: { input, changes: all.slice(at, at + PART) } });
    }
  });
  const none = changes.map((all) => all && []);
  const words = JSON.parse(checked.words()) as Words;
  return { report: { ...report, findings: [] }, words, places: [], changes: none, took: performance.now() - began };
}

function joined(pieces: Uint8Array[]): Uint8Array {
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

/** The places of findings and changes in the texts of editors, whose bytes are `held`. */
function placed(
  checked: Checked,
  report: Report,
  inputs: Source[],
  held: (Uint8Array | null)[],
): Pick<Result, "places" | "changes"> {
  const places: (Range | null)[] = report.findings.map(() => null);
  const changes: (TextChange[] | null)[] = inputs.map(() => null);
  inputs.forEach((source, input) => {
    const bytes = held[input];
    if (!bytes) return;
    const planned = JSON.parse(checked.changes(input)) as Change[];
    // Findings name their input: where two have one name, the page gives them others.
    const own = report.findings.flatMap((finding, at) => (finding.file === source.name ? [at] : []));
    const offsets = new Set<number>();
    for (const { start, end } of planned) offsets.add(start).add(end);
    for (const at of own) {
      const span = report.findings[at]?.span;
      if (span) offsets.add(span.start).add(span.end);
    }
    const sorted = Uint32Array.from(offsets).sort();
    // An ASCII text has its places already.
    const units = "text" in source && bytes.length === source.text.length ? sorted : positions(bytes, sorted);
    const unit = new Map<number, number>();
    sorted.forEach((offset, at) => unit.set(offset, units[at] ?? 0));
    const range = (start: number, end: number): Range => ({ from: unit.get(start) ?? 0, to: unit.get(end) ?? 0 });
    for (const at of own) {
      const span = report.findings[at]?.span;
      if (span) places[at] = range(span.start, span.end);
    }
    changes[input] = planned.map(({ start, end, text, rule }) => ({ ...range(start, end), text, rule }));
  });
  return { places, changes };
}

/** A fresh worker knows no check: the page checks again, and asks again. */
const unchecked = (): Refused => new Refused({ input: "", what: "nothing has been checked", next: "check again", line: null });

async function rewrite(input: number, remove: boolean): Promise<Blob> {
  const source = last?.inputs[input];
  if (!last || !source) throw unchecked();
  const rewriting = last.checked.rewriting(input, remove);
  const parts: BlobPart[] = [];
  await eachPiece(source, (bytes) => parts.push(rewriting.feed(bytes) as BlobPart)).catch((error: unknown) => {
    throw refused(source.name, error);
  });
  parts.push(rewriting.finish() as BlobPart);
  return new Blob(parts, { type: "application/sql" });
}

const TYPES: Record<Format, string> = {
  json: "application/json",
  sarif: "application/sarif+json",
  html: "text/html",
  markdown: "text/markdown",
};

function write(format: Format): Blob {
  if (!last) throw unchecked();
  return new Blob([last.checked.write(format) as BlobPart], { type: TYPES[format] });
}

/** A file is larger than an editor takes. */
class TooLarge extends Error {}

/** So many bytes tell whether a file is text. */
const HEAD = 4096;

async function read(file: File, limit: number): Promise<Answers["read"]> {
  const none = { text: null, exact: true };
  if (file.size > limit) return none;
  const pieces: Uint8Array[] = [];
  let size = 0;
  const sniffer = new Checker("{}");
  sniffer.begin(file.name);
  try {
    await eachPiece({ file }, (bytes) => {
      if (size < HEAD) refusing(() => sniffer.feed(bytes.subarray(0, HEAD)));
      size += bytes.length;
      if (size > limit) throw new TooLarge();
      pieces.push(bytes.slice());
    });
    // The kind of a file is told by so many bytes.
    if (size < HEAD) refusing(() => sniffer.feed(new Uint8Array(HEAD).fill(0x20)));
  } catch (error) {
    // Its check says what is wrong with it.
    if (error instanceof TooLarge || error instanceof Refused || error instanceof BadArchive || error instanceof Unreadable) return none;
    throw error;
  } finally {
    sniffer.free();
  }
  const bytes = joined(pieces);
  const text = decode(bytes);
  const exact = !text.includes("\ufffd") || new TextEncoder().encode(text).length === bytes.length;
  return { text, exact };
}

async function answer(request: Request, id: number): Promise<Answers[keyof Answers]> {
  switch (request.op) {
    case "start":
      initSync({ module: request.module });
      return JSON.parse(catalogue()) as Catalogue;
    case "check":
      return check(id, request.inputs, request.settings, request.remember);
    case "rewrite":
      return rewrite(request.input, request.remove);
    case "write":
      return write(request.format);
    case "read":
      return read(request.file, request.limit);
  }
}

/** One after the other: a rewrite that is asked for during a check is of that check. */
let before: Promise<void> = Promise.resolve();

scope.onmessage = ({ data }: MessageEvent<Asked>): void => {
  before = before.then(() => respond(data));
};

async function respond(data: Asked): Promise<void> {
  const { id } = data;
  try {
    tell({ id, kind: "answer", value: await answer(data, id) });
  } catch (error) {
    if (error instanceof Refused) tell({ id, kind: "refused", refusal: error.refusal });
    // A trap, a stack that is too deep, memory that has run out: this instance is of no use any more.
    else tell({ id, kind: "failed", message: error instanceof Error ? error.message : String(error) });
  }
}
