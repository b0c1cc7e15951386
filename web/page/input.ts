// What is checked: texts that an editor holds, and files that none does.

import { Content } from "./editor/content";

/** A text above this many bytes stays a file: it is checked as a stream, and no editor holds it. */
export const EDITABLE = 16 << 20;

/** A dump that is being edited. */
export class TextInput {
  readonly kind = "text";

  constructor(
    readonly id: number,
    readonly name: string,
    readonly content: Content,
    /** The file that it was read from, where its bytes are not all UTF-8: it is checked and rewritten as it is. */
    readonly bytes: File | null = null,
  ) {}

  get text(): string {
    return this.content.text;
  }
}

/** A dump too large for an editor, or one that is no text. */
export interface FileInput {
  id: number;
  kind: "file";
  name: string;
  file: File;
  /** It is an archive of pg_dump, whose rows are not read. */
  isArchive: boolean;
}

export type Input = TextInput | FileInput;

let nextId = 1;

export const textInput = (name: string, text: string, bytes: File | null = null): TextInput =>
  new TextInput(nextId++, name, Content.of(text), bytes);

export const fileInput = (name: string, file: File, isArchive: boolean): FileInput => ({ id: nextId++, kind: "file", name, file, isArchive });

export const isBlank = (input: Input): boolean => input.kind === "text" && input.content.blank;

/** Files that go by another name here, since one of their name was there: by that name. */
export const renamed = new Map<string, string>();

/** Names that differ, for reports name an input by its name alone. */
export function unique(name: string, taken: readonly Input[]): string {
  let free = name;
  for (let number = 2; taken.some((input) => input.name === free); number++) free = `${number}-${name}`;
  if (free !== name) renamed.set(free, name);
  return free;
}

/** A dump of roles comes before what uses them. */
export const isRoles = (input: Input): boolean => /role|global/i.test(input.name);
