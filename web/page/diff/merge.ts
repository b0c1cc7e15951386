// The dump and its rewrite beside each other, or one below the other where there is no room.

import { Change, MergeView, unifiedMergeView } from "@codemirror/merge";
import { EditorState, RangeSet, RangeSetBuilder, Text, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, GutterMarker, gutter, highlightSpecialChars, lineNumbers } from "@codemirror/view";
import { dumpLanguage } from "../editor/language";

import { exact, inEditor } from "./exact";
import type { TextChange } from "../engine/types";

/** A place of the dump that changes, and for what. */
export interface Marked {
  /** Where, in UTF-16 code units. */
  from: number;
  rule: string;
  /** The finding's number in the report. */
  finding: number;
}

const theme = EditorView.theme({
  "&": { backgroundColor: "var(--card)", color: "var(--text)", fontSize: "13px" },
  ".cm-content, .cm-gutters": { fontFamily: "var(--mono)" },
  ".cm-gutters": { backgroundColor: "var(--sunk)", color: "var(--quiet)", border: "none" },
});

const shared = (): Extension[] => [
  lineNumbers(),
  highlightSpecialChars(),
  drawSelection(),
  EditorState.readOnly.of(true),
  EditorView.lineWrapping,
  dumpLanguage,
  theme,
];

/** Names the rule of a change in the gutter. */
class Rule extends GutterMarker {
  constructor(
    readonly of: Marked,
    readonly more: number,
    readonly select: (finding: number) => void,
  ) {
    super();
  }

  override eq(other: Rule): boolean {
    return other.of.finding === this.of.finding && other.more === this.more;
  }

  override toDOM(): HTMLElement {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "rule-mark";
    button.textContent = this.more > 0 ? `${this.of.rule} +${this.more}` : this.of.rule;
    button.title = `Show the finding of ${this.of.rule}`;
    // There are as many as changes: the list of findings is what the keyboard goes through.
    button.tabIndex = -1;
    button.addEventListener("click", () => this.select(this.of.finding));
    return button;
  }
}

/** A gutter that says which rule changes a line. */
function rules(doc: Text, marks: readonly Marked[], select: (finding: number) => void): Extension {
  const builder = new RangeSetBuilder<GutterMarker>();
  let line = -1;
  let own: Marked[] = [];
  const put = (): void => {
    const [first] = own;
    if (first) builder.add(line, line, new Rule(first, new Set(own.map(({ rule }) => rule)).size - 1, select));
  };
  for (const mark of [...marks].sort((a, b) => a.from - b.from)) {
    const { from } = doc.lineAt(Math.min(mark.from, doc.length));
    if (from !== line) {
      put();
      line = from;
      own = [];
    }
    own.push(mark);
  }
  put();
  const set: RangeSet<GutterMarker> = builder.finish();
  return gutter({ class: "cm-rules", markers: () => set });
}

/** How the texts differ: as was planned, and by comparing where that cannot be told. */
function differences({ before, after, planned, isDeleted }: Texts): { scanLimit: number; timeout: number; override?: () => readonly Change[] } {
  const found = exact(before, after, planned, isDeleted);
  const limits = { scanLimit: 5000, timeout: 2000 };
  if (!found) return limits;
  const [inA, inB] = [inEditor(before), inEditor(after)];
  const changes = found.map(({ fromA, toA, fromB, toB }) => new Change(inA(fromA), inA(toA), inB(fromB), inB(toB)));
  return { ...limits, override: () => changes };
}

const collapseUnchanged = { margin: 2, minSize: 6 };

/** The dump and its rewrite, and what was planned. */
export interface Texts {
  before: string;
  after: string;
  planned: readonly TextChange[];
  /** What is taken out is deleted, not made a comment. */
  isDeleted: boolean;
}

interface Shown extends Texts {
  marks: readonly Marked[];
  select: (finding: number) => void;
  /** There is no room for two texts beside each other. */
  narrow: boolean;
}

/** A text as an editor holds it: a line end is one character. */
const docOf = (text: string): Text => Text.of(text.replaceAll("\r\n", "\n").split("\n"));

/** A view of both texts in `parent`; call what comes back to take it away. */
export function show(parent: HTMLElement, shown: Shown): () => void {
  const { before, after, marks, select, narrow } = shown;
  const diffConfig = differences(shown);
  const label = (text: string): Extension => EditorView.contentAttributes.of({ "aria-label": text, tabindex: "0" });
  if (narrow) {
    const view = new EditorView({
      parent,
      doc: docOf(after),
      extensions: [
        label("The rewritten dump, with what it was"),
        shared(),
        unifiedMergeView({ original: docOf(before), mergeControls: false, collapseUnchanged, diffConfig, gutter: true }),
      ],
    });
    return () => view.destroy();
  }
  const place = inEditor(before);
  const placed = marks.map((mark) => ({ ...mark, from: place(mark.from) }));
  const doc = docOf(before);
  const view = new MergeView({
    parent,
    a: { doc, extensions: [label("The dump as it is"), rules(doc, placed, select), shared()] },
    b: { doc: docOf(after), extensions: [label("The rewritten dump"), shared()] },
    collapseUnchanged,
    diffConfig,
    gutter: true,
    highlightChanges: true,
  });
  return () => view.destroy();
}
