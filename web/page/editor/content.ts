// The text of a dump between the page and the editor. Its bytes are kept: an editor counts every line break as one, so a
// text whose lines all end in CRLF gets that as its line break, and any other gets LF, with a lone CR as a character.

import { Text } from "@codemirror/state";

export type LineBreak = "\n" | "\r\n";

/** The line break that keeps every byte of a text. */
export function lineBreakOf(text: string): LineBreak {
  const first = text.indexOf("\n");
  if (first < 1 || text[first - 1] !== "\r") return "\n";
  // A line break of another kind anywhere, and every break is shown as it is.
  return /(^|[^\r])\n|\r(?!\n)/.test(text) ? "\n" : "\r\n";
}

/** A text as a string and as an editor's document; each is made when somebody asks for it, for a dump may be large. */
export class Content {
  #text: string | null = null;
  #doc: Text | null = null;
  #blank: boolean | null = null;

  private constructor(readonly lineBreak: LineBreak) {}

  static of(text: string): Content {
    const content = new Content(lineBreakOf(text));
    content.#text = text;
    return content;
  }

  static edited(doc: Text, lineBreak: LineBreak): Content {
    const content = new Content(lineBreak);
    content.#doc = doc;
    return content;
  }

  get text(): string {
    this.#text ??= this.#doc?.sliceString(0, this.#doc.length, this.lineBreak) ?? "";
    return this.#text;
  }

  get doc(): Text {
    this.#doc ??= Text.of(this.text.split(this.lineBreak));
    return this.#doc;
  }

  /** Nothing but white space. */
  get blank(): boolean {
    this.#blank ??= this.#isBlank();
    return this.#blank;
  }

  #isBlank(): boolean {
    if (this.#doc === null) return !/\S/.test(this.text);
    for (const line of this.#doc.iterLines()) if (/\S/.test(line)) return false;
    return true;
  }

  /** Where a place of the text is in the document. */
  toDoc(unit: number): number {
    const { doc } = this;
    if (this.lineBreak === "\n") return Math.min(unit, doc.length);
    let low = 1;
    let high = doc.lines;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (doc.line(middle).from + middle - 1 <= unit) low = middle;
      else high = middle - 1;
    }
    return Math.min(Math.max(unit - (low - 1), 0), doc.line(low).to);
  }
}
