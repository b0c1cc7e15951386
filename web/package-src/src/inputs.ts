// Where the bytes of an input come from.

import { InputError, OptionsError } from "./errors";

/** A text that is at hand. */
export interface TextInput {
  name: string;
  text: string;
}

/** Bytes that are at hand. */
export interface BytesInput {
  name: string;
  bytes: Uint8Array;
}

/** A dump in memory. */
export type Input = TextInput | BytesInput;

/** Bytes as they arrive: a web stream, a stream of Node, or any other iterable. Text is encoded as UTF-8. */
export type ByteStream = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>;

/** A stream, or a function that opens one: then the same bytes can be read again for a rewrite. */
export interface StreamInput {
  name: string;
  stream: ByteStream | (() => ByteStream | Promise<ByteStream>);
}

/** A Blob or File, which is read in pieces. */
export interface BlobInput {
  /** A File's own name is taken where this is left out. */
  name?: string;
  blob: Blob;
}

/** A file of this machine, in Node only, which is read in pieces. */
export interface PathInput {
  /** The path is taken where this is left out. */
  name?: string;
  path: string;
}

/** A dump that can be read again. */
export type StoredInput = Input | BlobInput | PathInput;

/** Anything that a dump can come from. */
export type AnyInput = StoredInput | StreamInput;

/** What only some hosts have. */
export interface Host {
  /** Opens a file for reading; null where there are no files. */
  open: ((path: string) => AsyncIterable<Uint8Array>) | null;
}

/** So many bytes are given to the module at once: progress is told, and a signal heard, between two of them. */
const PIECE = 1 << 18;

const encoder = new TextEncoder();

/** The name of an input, by which its findings name it. */
export function nameOf(input: AnyInput): string {
  if (input.name !== undefined) return input.name;
  if ("path" in input) return input.path;
  if ("blob" in input && "name" in input.blob && typeof input.blob.name === "string") return input.blob.name;
  throw new OptionsError("An input has no name: findings name their input.");
}

/** The names of inputs, which have to be different ones. */
export function namesOf(inputs: readonly AnyInput[]): string[] {
  if (!Array.isArray(inputs) || inputs.length === 0) {
    throw new OptionsError('There are no inputs: give an array such as [{ name: "schema.sql", text }].');
  }
  const names = inputs.map(nameOf);
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined) throw new OptionsError(`Two inputs are called ${twice}: findings name their input.`);
  return names;
}

/** The bytes of an input in memory. */
export function bytesOf(input: Input): Uint8Array {
  if ("text" in input && typeof input.text === "string") return encoder.encode(input.text);
  if ("bytes" in input && input.bytes instanceof Uint8Array) return input.bytes;
  throw new OptionsError(`${input.name} has neither a text nor bytes: streams and files need checkStreams.`);
}

/** Bytes in pieces, so that long ones do not need as much memory again in the module. */
export function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE);
}

async function* ofBlob(blob: Blob): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < blob.size; at += PIECE) yield new Uint8Array(await blob.slice(at, at + PIECE).arrayBuffer());
}

/** Browsers whose streams are no iterables are many. */
async function* ofStream(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  let isDone = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      yield value;
    }
    isDone = true;
  } finally {
    if (!isDone) await reader.cancel().catch(() => {});
    reader.releaseLock();
  }
}

function iterable(stream: ByteStream): AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string> {
  return "getReader" in stream ? ofStream(stream) : stream;
}

async function* opened(input: AnyInput, host: Host): AsyncGenerator<Uint8Array | string> {
  if ("text" in input || "bytes" in input) yield* pieces(bytesOf(input));
  else if ("blob" in input) yield* ofBlob(input.blob);
  else if ("path" in input) {
    if (!host.open) throw new OptionsError(`${nameOf(input)} is a path, and there are no files here: give a blob or a stream.`);
    yield* host.open(input.path);
  } else yield* iterable(typeof input.stream === "function" ? await input.stream() : input.stream);
}

/** The bytes of any input, as they arrive. */
export async function* streamOf(input: AnyInput, host: Host): AsyncGenerator<Uint8Array> {
  const name = nameOf(input);
  const chunks = opened(input, host);
  try {
    for (;;) {
      const { done, value } = await chunks.next().catch((error: unknown) => {
        if (error instanceof OptionsError) throw error;
        const said = error instanceof Error ? error.message : String(error);
        throw new InputError(name, `it cannot be read: ${said}`, "open it again", null, { cause: error });
      });
      if (done) return;
      if (typeof value === "string") yield* pieces(encoder.encode(value));
      else if (value instanceof Uint8Array) yield* pieces(value);
      else throw new InputError(name, "its stream gives neither bytes nor text", "give a stream of Uint8Array", null);
    }
  } finally {
    await chunks.return(undefined);
  }
}

/** Whether the bytes can be had a second time. */
export const isStored = (input: AnyInput): boolean => !("stream" in input) || typeof input.stream === "function";
