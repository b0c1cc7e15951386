// What the page and the worker say to each other.

import type { Words } from "../../view/words";
import type { Catalogue, Finding, Refusal, Report, Settings } from "./report";

/** Where the bytes of an input come from. */
export type Source =
  | { name: string; text: string }
  /** `shown`: an editor shows the decoded text, so that places in it are wanted. */
  | { name: string; file: File; shown?: boolean };

/** A place in an editor's text, in UTF-16 code units. */
export interface Range {
  from: number;
  to: number;
}

/** A change of an editor's text. */
export interface TextChange extends Range {
  text: string | null;
  rule: string | null;
}

/** The outcome of a check. */
export interface Result {
  /** It has so many findings at most as a page can hold; its counts are those of all. */
  report: Report;
  /** The answer as every format says it. */
  words: Words;
  /** The place of each finding in the text of its input; null where the input is a file that no editor holds. */
  places: (Range | null)[];
  /** The changes of each input that an editor holds. */
  changes: (TextChange[] | null)[];
  /** Milliseconds that the check took. */
  took: number;
}

/** Some findings of a check with their places, or some changes: all at once would keep a page busy for long. */
export type Part = { findings: Finding[]; places: Result["places"] } | { input: number; changes: TextChange[] };

export type Format = "json" | "sarif" | "html" | "markdown";

export type Request =
  | { op: "start"; module: WebAssembly.Module }
  /** `remember`: what the next check of nearly the same texts needs. */
  | { op: "check"; inputs: Source[]; settings: Settings; remember: boolean }
  /** The rewritten text of an input of the last check. */
  | { op: "rewrite"; input: number; remove: boolean }
  /** The last check's report. */
  | { op: "write"; format: Format }
  /** The text of a file, unpacked where it is compressed; refused above the limit. */
  | { op: "read"; file: File; limit: number };

export interface Answers {
  start: Catalogue;
  check: Result;
  rewrite: Blob;
  write: Blob;
  read: FileText;
}

/** A file as an editor would hold it. */
export interface FileText {
  /** Null where it is larger than the limit. */
  text: string | null;
  /** Its bytes are not all UTF-8: an edited text would not be the same bytes. */
  exact: boolean;
  /** It is an archive of pg_dump: it is checked, and rewritten on the command line. */
  isArchive: boolean;
}

export type Asked = Request & { id: number };

export type Told =
  | { id: number; kind: "answer"; value: Answers[keyof Answers] }
  | { id: number; kind: "progress"; done: number; total: number }
  /** Findings and changes come before the answer to a check, which has none. */
  | { id: number; kind: "part"; part: Part }
  | { id: number; kind: "refused"; refusal: Refusal }
  | { id: number; kind: "failed"; message: string };

export type { Catalogue, Refusal, Report, Settings };
