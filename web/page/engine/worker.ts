// The worker: the package's analyzer, and what the page asks of it. It ends with the page's patience: a check is cancelled
// by ending the worker and starting another.

import { Analyzer, CrashError, InputError, OptionsError, type AnyInput, type CheckOptions, type Level, type Result as Found } from "../../package-src/src/api";
import { isArchiveFile, joined, piecesOf, Unreadable } from "./bytes";
import type { Answers, Asked, Format, Range, Request, Result, Settings, Source, Told } from "./protocol";
import type { Catalogue, Refusal } from "./report";
import { BadArchive } from "./unpack";

const scope = self as unknown as DedicatedWorkerGlobalScope;

let started: Analyzer | null = null;

/** The last check: what reports and rewrites are made from. */
let last: Found | null = null;

const tell = (told: Told): void => scope.postMessage(told);

/** Why something cannot be done, as the page shows it. */
class Refused extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal.what);
  }
}

function analyzer(): Analyzer {
  if (!started) throw new Error("the worker was not started");
  return started;
}

async function start(module: WebAssembly.Module): Promise<Catalogue> {
  started = await Analyzer.start(module, { open: null });
  const { version, targets } = started;
  const { name: target, version: targetVersion, versions: targetVersions, extensionLists } = targets;
  return { version, rules: started.rules(), target, targetVersion, targetVersions, extensionLists };
}

/** A file's bytes; why they do not come is a refusal. */
async function* bytesOf(name: string, file: File, read?: (bytes: number) => void): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* piecesOf(file, (head, isWhole) => analyzer().archive(name, head, isWhole), read);
  } catch (error) {
    if (error instanceof InputError) throw new Refused({ input: name, what: error.what, next: error.next, line: null });
    if (error instanceof BadArchive) throw new Refused({ input: name, ...error.words(name), line: null });
    if (error instanceof Unreadable) throw new Refused({ input: name, what: error.what, next: error.next, line: null });
    throw error;
  }
}

async function wholeOf(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return joined(all);
}

/** A source as the package reads it: a text and a file that an editor shows at once, others as they come. */
async function inputOf(source: Source, read: (bytes: number) => void): Promise<AnyInput> {
  const { name } = source;
  if ("text" in source) return { name, text: source.text };
  if (source.shown) return { name, bytes: await wholeOf(bytesOf(name, source.file, read)) };
  return { name, stream: () => bytesOf(name, source.file, read) };
}

const sizeOf = (source: Source): number => ("text" in source ? source.text.length : source.file.size);

function optionsOf({ take, refuse, levels, ...same }: Settings): CheckOptions {
  return {
    ...same,
    ...(take && { addExtensions: take }),
    ...(refuse && { refuseExtensions: refuse }),
    ...(levels && { levels: Object.fromEntries(levels) as Record<string, Level> }),
  };
}

/** So many findings are shown in a page; reports and rewrites are made of all. */
const MOST = 20_000;
/** So many go to the page at once. */
const PART = 1000;

async function check(id: number, sources: Source[], settings: Settings, remember: boolean): Promise<Result> {
  const began = performance.now();
  last?.free();
  last = null;
  const total = sources.reduce((sum, source) => sum + sizeOf(source), 0);
  const read = sources.map(() => 0);
  let told = began;
  const hear = (at: number) => (bytes: number) => {
    read[at] = bytes;
    if (performance.now() - told < 100) return;
    told = performance.now();
    tell({ id, kind: "progress", done: read.reduce((sum, bytes) => sum + bytes, 0), total });
  };
  const inputs: AnyInput[] = [];
  for (const [at, source] of sources.entries()) inputs.push(await inputOf(source, hear(at)));
  // Texts of editors are checked again and again, and little of them changes. A file on the disk stays as it is.
  const cache = remember && sources.every((source) => "text" in source || source.shown);
  last = await analyzer().checkStreams(inputs, { ...optionsOf(settings), maxFindings: MOST, cache });
  const { findings, ...report } = last.report;
  for (let from = 0; from < findings.length; from += PART) {
    const part = findings.slice(from, from + PART);
    const places = part.map(({ range }): Range | null => range && { from: range.start.offset, to: range.end.offset });
    tell({ id, kind: "part", part: { findings: part.map(({ range: _, input: __, ...finding }) => finding), places } });
  }
  const result = last;
  const changes = sources.map((_, input) => {
    const all = result.changes(input);
    for (let from = 0; all && from < all.length; from += PART) {
      const part = all.slice(from, from + PART).map(({ start, end, text, rule }) => ({ from: start.offset, to: end.offset, text, rule }));
      tell({ id, kind: "part", part: { input, changes: part } });
    }
    return all && [];
  });
  return { report: { ...report, findings: [] }, words: last.words, places: [], changes, took: performance.now() - began };
}

/** The last check. A fresh worker knows none: the page checks again, and asks again. */
function checked(): Found {
  if (!last) throw new Refused({ input: "", what: "nothing has been checked", next: "check again", line: null });
  return last;
}

async function rewrite(input: number, remove: boolean): Promise<Blob> {
  const parts: BlobPart[] = [];
  for await (const part of checked().rewriteStream(input, { delete: remove })) parts.push(part as BlobPart);
  return new Blob(parts, { type: "application/sql" });
}

const TYPES: Record<Format, string> = {
  json: "application/json",
  sarif: "application/sarif+json",
  html: "text/html",
  markdown: "text/markdown",
};

const write = (format: Format): Blob => new Blob([checked().format(format)], { type: TYPES[format] });

/** So many bytes tell whether a file is text. */
const HEAD = 4096;

async function read(file: File, limit: number): Promise<Answers["read"]> {
  const none = { text: null, exact: true, isArchive: false };
  try {
    // It has no rows here: an edited text of it would not be the dump.
    if (await isArchiveFile(file)) return { ...none, isArchive: true };
  } catch (error) {
    if (error instanceof Unreadable) return none;
    throw error;
  }
  if (file.size > limit) return none;
  const { name } = file;
  const pieces: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const piece of piecesOf(file, () => null)) {
      pieces.push(piece);
      const before = size;
      size += piece.length;
      if (size > limit || (before < HEAD && size >= HEAD && analyzer().refusal({ name, bytes: joined(pieces) }))) return none;
    }
  } catch (error) {
    // Its check says what is wrong with it.
    if (error instanceof BadArchive || error instanceof Unreadable) return none;
    throw error;
  }
  const bytes = joined(pieces);
  if (size < HEAD && analyzer().refusal({ name, bytes })) return none;
  const text = analyzer().decode(bytes);
  const exact = !text.includes("\ufffd") || new TextEncoder().encode(text).length === bytes.length;
  return { text, exact, isArchive: false };
}

async function answer(request: Request, id: number): Promise<Answers[keyof Answers]> {
  switch (request.op) {
    case "start":
      return start(request.module);
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

/** How often something was asked. */
let heard = 0;

scope.onmessage = ({ data }: MessageEvent<Asked>): void => {
  heard++;
  before = before.then(() => respond(data));
  if (data.op === "start") void before.then(warmUp);
};

/** Rounds after which another gains nothing: about 0.2 seconds. */
const ROUNDS = 10;

/**
 * Checks the rules' examples until somebody asks for something: browsers compile what runs often once more, and better. The
 * first check of a schema of 500 KB takes half the time then.
 */
async function warmUp(): Promise<void> {
  const before = heard;
  for (let round = 0; round < ROUNDS; round++) {
    // Between two rounds what is asked is heard.
    await new Promise((resolve) => setTimeout(resolve));
    if (heard !== before || !started) return;
    const text = started.rules().map((rule) => rule.before);
    started.check([{ name: "examples.sql", text: text.join("\n;\n") }]).free();
  }
}

/** What an error refuses; null where the module stopped. */
function refusalOf(error: unknown): Refusal | null {
  if (error instanceof Refused) return error.refusal;
  if (error instanceof InputError) {
    // What broke the stream of an input is its cause.
    if (error.cause instanceof Refused) return error.cause.refusal;
    const { input, what, next, line } = error;
    return { input, what, next, line };
  }
  return error instanceof OptionsError ? { input: "", what: error.message, next: "correct the settings", line: null } : null;
}

async function respond(data: Asked): Promise<void> {
  const { id } = data;
  try {
    tell({ id, kind: "answer", value: await answer(data, id) });
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal) return tell({ id, kind: "refused", refusal });
    // A trap, a stack that is too deep, memory that has run out: this instance is of no use any more.
    const why: unknown = error instanceof CrashError && error.cause ? error.cause : error;
    tell({ id, kind: "failed", message: why instanceof Error ? why.message : String(why) });
  }
}
