// The dump and its rewrite beside each other, or one below the other where there is no room.

import { Change, getChunks, MergeView, unifiedMergeView } from "@codemirror/merge";
import { EditorState, RangeSet, RangeSetBuilder, Text, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, GutterMarker, gutter, highlightSpecialChars, lineNumbers } from "@codemirror/view";
import { dumpLanguage } from "../editor/language";
import { current, setCurrent } from "./current";

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
  current,
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
  /** Where to begin, in the dump's document. */
  place: number;
  /** There is no room for two texts beside each other. */
  narrow: boolean;
}

/** A text as an editor holds it: a line end is one character. */
const docOf = (text: string): Text => Text.of(text.replaceAll("\r\n", "\n").split("\n"));

/** A view of both texts that goes from change to change. */
export interface Shower {
  /** How many changes there are. */
  readonly count: number;
  /** The one that is looked at, from 0; -1 before the first. */
  readonly at: number;
  /** Where that is in the dump's document. */
  readonly place: number;
  /** Goes to the next or the previous change, around the ends. */
  step: (by: -1 | 1) => void;
  /** Takes the view away. */
  end: () => void;
}

/** Goes through the changes of a view, from the one that is at a place of the dump or behind it. */
function stepper(view: EditorView, place: number, end: () => void): Shower {
  const isBefore = getChunks(view.state)?.side === "a";
  const changes = (getChunks(view.state)?.chunks ?? []).map(({ fromA, endA, fromB }) => ({ fromA, endA, from: isBefore ? fromA : fromB }));
  let at = -1;
  const go = (index: number): void => {
    const change = changes[index];
    if (!change) return;
    at = index;
    const from = Math.min(change.from, view.state.doc.length);
    view.dispatch({ selection: { anchor: from }, effects: [setCurrent.of(from), EditorView.scrollIntoView(from, { y: "center" })] });
  };
  if (place > 0) go(Math.max(changes.findIndex(({ endA }) => endA >= place), 0));
  return {
    count: changes.length,
    get at() {
      return at;
    },
    get place() {
      return changes[at]?.fromA ?? 0;
    },
    step: (by) => go((Math.max(at, by > 0 ? -1 : 0) + by + changes.length) % changes.length),
    end,
  };
}

/** A view of both texts in `parent`, at a place of the dump. */
export function show(parent: HTMLElement, shown: Shown): Shower {
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
    return stepper(view, shown.place, () => view.destroy());
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
  return stepper(view.a, shown.place, () => view.destroy());
}
