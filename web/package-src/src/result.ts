// The result of a check: its report, and rewritten texts.

import type { Checked } from "../../module/tsmigrate_web.js";
import type { Report as Whole } from "../../view/schema";
import { InputError, OptionsError } from "./errors";
import { bytesOf, isStored, nameOf, pieces, streamOf, type AnyInput, type ByteStream, type Host } from "./inputs";
import type { Instance } from "./instance";
import { rangesOf, type Text } from "./places";
import type { Change, Decision, Finding, Format, Range, Report, RewriteOptions, Span, Verdict, Words } from "./types";

const decoder = new TextDecoder();

/** A change as the module has it, in bytes. */
interface Planned extends Span {
  text: string | null;
  rule: string | null;
}

/**
 * What a check found. It holds memory of the module until `free` is called or it is collected as garbage.
 */
export class Result {
  readonly #instance: Instance;
  readonly #checked: Checked;
  readonly #inputs: readonly AnyInput[];
  readonly #names: readonly string[];
  readonly #host: Host;
  readonly #most: number | undefined;
  readonly #texts = new Map<number, Text>();
  #report: Report | null = null;
  #isFree = false;

  /** @internal */
  constructor(instance: Instance, checked: Checked, inputs: readonly AnyInput[], host: Host, most: number | undefined) {
    this.#instance = instance;
    this.#checked = checked;
    this.#inputs = inputs;
    this.#names = inputs.map(nameOf);
    this.#host = host;
    this.#most = most;
  }

  /** Whether the dump can be restored: as it is, after the rewrite, or only after decisions. */
  get verdict(): Verdict {
    return this.report.verdict;
  }

  /** What a person has to decide before it restores, what blocks most first. */
  get decisions(): Decision[] {
    return this.report.decisions;
  }

  /** Every finding, in the order of the inputs. */
  get findings(): Finding[] {
    return this.report.findings;
  }

  /** All of the report. It is made when it is first asked for. */
  get report(): Report {
    return (this.#report ??= this.#placed(JSON.parse(this.#ask((checked) => checked.view(this.#most))) as Whole));
  }

  /** The answer in words. */
  get words(): Words {
    return JSON.parse(this.#ask((checked) => checked.words())) as Words;
  }

  /** The report in one of the command line's forms, the same bytes. */
  format(format: Format): string {
    return decoder.decode(this.#ask((checked) => checked.write(format)));
  }

  /** The places of a span of an input; null where the input was a stream, of which no text is kept. */
  range(input: number, span: Span): Range | null {
    const text = this.#text(input);
    return text && (this.#instance.call((glue) => rangesOf(glue, text, [span]))[0] ?? null);
  }

  /** The changes of an input in the order of its text, for an editor; null where the input was a stream. */
  changes(input: number): Change[] | null {
    const text = this.#text(input);
    if (!text) return null;
    const planned = JSON.parse(this.#ask((checked) => checked.changes(input))) as Planned[];
    const ranges = this.#instance.call((glue) => rangesOf(glue, text, planned));
    return planned.map(({ text, rule }, at) => ({ ...(ranges[at] as Range), text, rule }));
  }

  /** The rewritten text of an input that was given as a text or as bytes in UTF-8. */
  rewrite(input: number, options: RewriteOptions = {}): string {
    const bytes = this.rewriteBytes(input, options);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (error) {
      throw new InputError(this.#names[input] ?? "", "its bytes are not all UTF-8", "take the bytes of rewriteBytes", null, { cause: error });
    }
  }

  /** The rewritten bytes of an input that was given as a text or bytes. */
  rewriteBytes(input: number, options: RewriteOptions = {}): Uint8Array {
    const source = this.#input(input);
    if (!("text" in source || "bytes" in source)) {
      throw new OptionsError(`${this.#names[input]} was read from a stream or file: its rewrite is rewriteStream's.`);
    }
    const parts: Uint8Array[] = [];
    const rewriting = this.#ask((checked) => checked.rewriting(input, options.delete === true));
    for (const piece of pieces(bytesOf(source))) parts.push(this.#instance.call(() => rewriting.feed(piece)));
    parts.push(this.#instance.call(() => rewriting.finish()));
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  /**
   * The rewritten bytes of any input, as they arrive. An input that was a stream which can be read once only needs its
   * bytes again, as `stream`.
   */
  async *rewriteStream(input: number, options: RewriteOptions & { stream?: ByteStream } = {}): AsyncGenerator<Uint8Array, void, undefined> {
    const { stream } = options;
    const source: AnyInput = stream ? { name: this.#names[input] ?? "", stream } : this.#input(input);
    if (!stream && !isStored(source)) {
      throw new OptionsError(`${this.#names[input]} was a stream that can be read once: give its bytes again as stream.`);
    }
    const rewriting = this.#ask((checked) => checked.rewriting(input, options.delete === true));
    for await (const piece of streamOf(source, this.#host)) {
      const out = this.#instance.call(() => rewriting.feed(piece));
      if (out.length > 0) yield out;
    }
    const rest = this.#instance.call(() => rewriting.finish());
    if (rest.length > 0) yield rest;
  }

  /** Gives the module's memory back. What was read of the report stays. */
  free(): void {
    if (this.#isFree) return;
    this.#isFree = true;
    if (!this.#instance.isDead) this.#instance.call(() => this.#checked.free());
  }

  #ask<T>(act: (checked: Checked) => T): T {
    if (this.#isFree) throw new OptionsError("This result was freed: check again.");
    return this.#instance.call(() => act(this.#checked));
  }

  #input(input: number): AnyInput {
    const source = this.#inputs[input];
    if (!source) throw new OptionsError(`There is no input ${input}: there are ${this.#inputs.length}, counted from 0.`);
    return source;
  }

  /** The text of an input in memory; null for others. */
  #text(input: number): Text | null {
    const source = this.#input(input);
    if (!("text" in source || "bytes" in source)) return null;
    const known = this.#texts.get(input);
    if (known) return known;
    const bytes = bytesOf(source);
    const text = "text" in source ? source.text : this.#instance.call((glue) => glue.decode(bytes));
    this.#texts.set(input, { bytes, text });
    return { bytes, text };
  }

  #placed(whole: Whole): Report {
    const findings: Finding[] = whole.findings.map((entry) => ({ ...entry, input: this.#names.indexOf(entry.file), range: null }));
    this.#names.forEach((_, input) => {
      const own = findings.filter((finding) => finding.input === input);
      const text = own.length > 0 ? this.#text(input) : null;
      if (!text) return;
      const ranges = this.#instance.call((glue) => rangesOf(glue, text, own.map(({ span }) => span)));
      own.forEach((finding, at) => (finding.range = ranges[at] ?? null));
    });
    return { ...whole, findings };
  }
}
