// Findings in an editor: a mark in the gutter, a line under the place, a hint at the end of the line, details on hover.
// Places go along with edits until the next report comes.

import { RangeSet, RangeValue, StateEffect, StateField, type EditorState, type Range } from "@codemirror/state";
import {
  Decoration,
  EditorView,
  gutter,
  GutterMarker,
  hoverTooltip,
  ViewPlugin,
  WidgetType,
  type DecorationSet,
  type ViewUpdate,
} from "@codemirror/view";
import type { Finding } from "../engine/types";
import { fateOf, fateWords } from "./fate";
import { severityIcon } from "./icons";

/** A finding at its place. */
export class Mark extends RangeValue {
  constructor(
    readonly number: number,
    readonly finding: Finding,
  ) {
    super();
  }

  override eq(other: RangeValue): boolean {
    return other instanceof Mark && other.number === this.number && other.finding === this.finding;
  }
}

export type Marks = RangeSet<Mark>;

export const setMarks = StateEffect.define<Marks>();
export const setSelected = StateEffect.define<number | null>();

/** Marks the statement that is still being typed, or none. */
export const setUnfinished = StateEffect.define<{ from: number; to: number } | null>();

const squiggle = Decoration.mark({ class: "cm-unfinished" });

const unfinishedField = StateField.define<{ from: number; to: number } | null>({
  create: () => null,
  update(place, transaction) {
    for (const effect of transaction.effects) {
      if (!effect.is(setUnfinished)) continue;
      // The text may be shorter by now than what was checked.
      const most = transaction.newDoc.length;
      return effect.value && { from: Math.min(effect.value.from, most), to: Math.min(effect.value.to, most) };
    }
    if (!place || !transaction.docChanged) return place;
    const { changes } = transaction;
    return { from: changes.mapPos(place.from, -1), to: changes.mapPos(place.to, 1) };
  },
  // One line, under the first line of the statement.
  provide: (field) =>
    EditorView.decorations.compute([field], (state) => {
      const place = state.field(field);
      if (!place) return Decoration.none;
      const { from } = place;
      const end = Math.min(place.to, state.doc.lineAt(Math.min(from, state.doc.length)).to);
      return end > from ? Decoration.set(squiggle.range(from, end)) : Decoration.none;
    }),
});

/** Where the statement is that is still being typed. */
export const unfinishedAt = (state: EditorState): { from: number; to: number } | null => state.field(unfinishedField);

const marksField = StateField.define<Marks>({
  create: () => RangeSet.empty,
  update(marks, transaction) {
    let now = transaction.docChanged ? marks.map(transaction.changes) : marks;
    for (const effect of transaction.effects) if (effect.is(setMarks)) now = effect.value;
    return now;
  },
});

const selectedField = StateField.define<number | null>({
  create: () => null,
  update(number, transaction) {
    for (const effect of transaction.effects) if (effect.is(setSelected)) return effect.value;
    return number;
  },
});

export const marksOf = (state: EditorState): Marks => state.field(marksField);

/** Marks from places in the text; `number` is the finding's in the report. */
export function makeMarks(placed: readonly { number: number; finding: Finding; from: number; to: number }[]): Marks {
  const ranges: Range<Mark>[] = placed.map(({ number, finding, from, to }) =>
    new Mark(number, finding).range(from, Math.max(from, to)),
  );
  return RangeSet.of(ranges, true);
}

/** Every mark that touches a stretch, in the order of the text. */
export function marksIn(state: EditorState, from: number, to: number): { from: number; to: number; mark: Mark }[] {
  const found: { from: number; to: number; mark: Mark }[] = [];
  marksOf(state).between(from, to, (start, end, mark) => {
    found.push({ from: start, to: end, mark });
  });
  return found;
}

/** The narrowest finding around a place. */
export function markAt(state: EditorState, at: number): Mark | null {
  const around = marksIn(state, at, at).sort((a, b) => a.to - a.from - (b.to - b.from));
  return around[0]?.mark ?? null;
}

/** Where a finding is now. */
export function placeOf(state: EditorState, number: number): { from: number; to: number } | null {
  for (const cursor = marksOf(state).iter(); cursor.value; cursor.next()) {
    if (cursor.value.number === number) return { from: cursor.from, to: cursor.to };
  }
  return null;
}

const RANK = { error: 0, warning: 1, note: 2 };
const FATES = { open: 0, lost: 1, solved: 2, allowed: 3 };

/** What counts most comes first: open before solved, errors before notes. */
const byWeight = (a: Mark, b: Mark): number =>
  FATES[fateOf(a.finding)] - FATES[fateOf(b.finding)] || RANK[a.finding.severity] - RANK[b.finding.severity];

/** The marks that begin in a line. */
const beginning = (state: EditorState, from: number, to: number): Mark[] =>
  marksIn(state, from, to)
    .filter((one) => one.from >= from)
    .map(({ mark }) => mark)
    .sort(byWeight);

class FindingMarker extends GutterMarker {
  constructor(
    readonly finding: Finding,
    readonly count: number,
    readonly selected: boolean,
  ) {
    super();
  }

  override eq(other: GutterMarker): boolean {
    return (
      other instanceof FindingMarker &&
      other.finding === this.finding &&
      other.count === this.count &&
      other.selected === this.selected
    );
  }

  override toDOM(): Node {
    const dom = document.createElement("div");
    const { severity } = this.finding;
    dom.className = `mark mark-${severity} mark-${fateOf(this.finding)}${this.selected ? " mark-selected" : ""}`;
    dom.innerHTML = severityIcon(severity, fateOf(this.finding));
    return dom;
  }
}

const markGutter = (choose: (number: number) => void) =>
  gutter({
    class: "cm-findings",
    lineMarker(view, line) {
      const [first, ...rest] = beginning(view.state, line.from, line.to);
      if (!first) return null;
      const selected = view.state.field(selectedField);
      return new FindingMarker(first.finding, rest.length + 1, [first, ...rest].some((mark) => mark.number === selected));
    },
    lineMarkerChange: (update) =>
      update.startState.field(marksField) !== update.state.field(marksField) ||
      update.startState.field(selectedField) !== update.state.field(selectedField),
    renderEmptyElements: false,
    domEventHandlers: {
      mousedown(view, line) {
        const [first] = beginning(view.state, line.from, line.to);
        if (!first) return false;
        choose(first.number);
        return true;
      },
    },
  });

class Hint extends WidgetType {
  constructor(
    readonly finding: Finding,
    readonly more: number,
  ) {
    super();
  }

  override eq(other: Hint): boolean {
    return other.finding === this.finding && other.more === this.more;
  }

  override toDOM(): HTMLElement {
    const dom = document.createElement("span");
    const fate = fateOf(this.finding);
    dom.className = `cm-hint hint-${this.finding.severity} hint-${fate}`;
    const words = fateWords(this.finding);
    const more = this.more > 0 ? ` (+${this.more})` : "";
    dom.textContent = `${words === "" ? this.finding.severity : words}: ${this.finding.message}${more}`;
    // What it says is in the list of findings; a reader of the text should hear the text.
    dom.setAttribute("aria-hidden", "true");
    return dom;
  }

  override ignoreEvent(): boolean {
    return false;
  }
}

/** What is drawn of the findings, for the lines that are seen alone. */
class Drawn {
  decorations: DecorationSet;

  constructor(view: EditorView) {
    this.decorations = this.draw(view);
  }

  update(update: ViewUpdate): void {
    const { startState, state } = update;
    if (
      update.docChanged ||
      update.viewportChanged ||
      startState.field(marksField) !== state.field(marksField) ||
      startState.field(selectedField) !== state.field(selectedField)
    ) {
      this.decorations = this.draw(update.view);
    }
  }

  private draw(view: EditorView): DecorationSet {
    const { state } = view;
    const selected = state.field(selectedField);
    const ranges: Range<Decoration>[] = [];
    for (const seen of view.visibleRanges) {
      const hints = new Map<number, Mark[]>();
      for (const { from, to, mark } of marksIn(state, seen.from, seen.to)) {
        if (from < seen.from) continue;
        const line = state.doc.lineAt(from);
        const own = hints.get(line.to);
        if (own) own.push(mark);
        else hints.set(line.to, [mark]);
        const isSelected = mark.number === selected;
        if (isSelected) ranges.push(Decoration.line({ class: "cm-selected-finding" }).range(line.from));
        // A finding about a whole statement has a line under its first line.
        const end = Math.min(to, line.to);
        if (end > from) {
          const { severity } = mark.finding;
          const name = `cm-place place-${severity} place-${fateOf(mark.finding)}${isSelected ? " place-selected" : ""}`;
          ranges.push(Decoration.mark({ class: name }).range(from, end));
        }
      }
      for (const [end, marks] of hints) {
        const [first] = marks.sort(byWeight);
        if (first) ranges.push(Decoration.widget({ widget: new Hint(first.finding, marks.length - 1), side: 1 }).range(end));
      }
    }
    return Decoration.set(ranges, true);
  }
}

function details(finding: Finding): HTMLElement {
  const dom = document.createElement("div");
  const fate = fateOf(finding);
  dom.className = `cm-details details-${finding.severity} details-${fate}`;
  const part = (name: string, text: string): void => {
    const element = document.createElement("div");
    element.className = name;
    element.textContent = text;
    dom.append(element);
  };
  const words = fateWords(finding);
  part("details-head", `${finding.severity} ${finding.rule}${words && ` · ${words}`}`);
  part("details-message", finding.message);
  if (finding.server_error) part("details-server", `ERROR: ${finding.server_error.text}`);
  part("details-help", finding.help);
  return dom;
}

/** So many findings are shown in one tooltip. */
const SHOWN = 4;

const hover = hoverTooltip((view, at) => {
  const around = marksIn(view.state, at, at);
  const first = around[0];
  if (!first) return null;
  const line = view.state.doc.lineAt(first.from);
  return {
    pos: Math.max(first.from, line.from),
    end: Math.min(first.to, line.to),
    above: false,
    create: () => {
      const dom = document.createElement("div");
      const marks = around.map(({ mark }) => mark).sort(byWeight);
      dom.append(...marks.slice(0, SHOWN).map((mark) => details(mark.finding)));
      return { dom };
    },
  };
});

/** `choose` hears which finding's mark was clicked. */
export const findingMarks = (choose: (number: number) => void) => [
  marksField,
  selectedField,
  unfinishedField,
  markGutter(choose),
  ViewPlugin.fromClass(Drawn, { decorations: (drawn) => drawn.decorations }),
  hover,
];
