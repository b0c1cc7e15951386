// The editor: one view, and for each dump a session with its own history, place and marks.

import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { codeFolding, foldGutter, foldKeymap, foldedRanges, unfoldEffect } from "@codemirror/language";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Annotation, Compartment, EditorSelection, EditorState, Text, type ChangeDesc, type StateEffect } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
  placeholder,
  type ViewUpdate,
} from "@codemirror/view";
import type { Finding, Range } from "../engine/types";
import { EDITABLE, type Input, type TextInput } from "../input";
import { Content, type LineBreak } from "./content";
import { copyFolding } from "./copy-data";
import { dumpLanguage } from "./language";
import { findingMarks, makeMarks, markAt, marksOf, placeOf, setMarks, setSelected, setUnfinished, unfinishedAt } from "./marks";

/** What the editor tells. */
export interface Heard {
  edited: (id: number, content: Content, head: number) => void;
  /** The cursor has left the place of the last edit, or the editor. */
  left: () => void;
  /** Its mark was clicked, a step led to it, or just the cursor went into its place. */
  chosen: (finding: number, how: "mark" | "step" | "cursor") => void;
  /** A step to the next or the previous finding leaves this text. */
  beyond: (by: -1 | 1) => void;
  /** A text was pasted that is too large for an editor. */
  pastedLarge: (text: string) => void;
}

/** A result whose findings are marked. */
export interface Marked {
  report: { findings: readonly Finding[] };
  /** The place of each finding in the text of its input; null where it has none. */
  places: readonly (Range | null)[];
}

interface Session {
  id: number;
  state: EditorState;
  lineBreak: LineBreak;
  /** What came after texts that may still be under check. */
  log: { from: Text; changes: ChangeDesc }[];
  /** The report that its marks are of. */
  marked: Marked | null;
  /** Where it was scrolled to. */
  scroll: StateEffect<unknown> | null;
}

/** So many changes are remembered while no report comes. */
const LOG = 5000;

/** A change that the page makes, not the person. */
const byPage = Annotation.define<boolean>();

const readOnly = new Compartment();

const locked = (input: TextInput) => [EditorState.readOnly.of(input.bytes !== null)];

/** The words of a dump that is still to come. */
const EMPTY = "Paste a dump, or drop files anywhere";

export class DumpEditor {
  readonly view: EditorView;
  #sessions = new Map<number, Session>();
  #shown: Session | null = null;
  #selected: number | null = null;

  constructor(
    parent: HTMLElement,
    private readonly heard: Heard,
  ) {
    this.view = new EditorView({ parent });
  }

  destroy(): void {
    this.view.destroy();
  }

  /** Shows a dump; the others' sessions stay while their dumps are there. */
  show(input: TextInput, all: readonly Input[]): void {
    for (const id of this.#sessions.keys()) if (!all.some((one) => one.id === id)) this.#sessions.delete(id);
    if (this.#shown?.id === input.id) {
      this.#follow(input);
      return;
    }
    this.#leave();
    const session = this.#sessions.get(input.id) ?? this.#open(input);
    this.#shown = session;
    this.view.setState(session.state);
    this.#follow(input);
    const effects: StateEffect<unknown>[] = [setSelected.of(this.#selected)];
    if (session.scroll) effects.push(session.scroll);
    this.view.dispatch({ effects, annotations: byPage.of(true) });
  }

  /** Shows the findings of a report in the dump that is shown. */
  mark(result: Marked | null, of: readonly Input[]): void {
    const session = this.#shown;
    if (!session || session.marked === result) return;
    session.marked = result;
    this.view.dispatch({ effects: setMarks.of(this.#marks(session, result, of)), annotations: byPage.of(true) });
  }

  /** Marks the statement that is still being typed. */
  unfinished(at: { from: number; to: number } | null): void {
    this.view.dispatch({ effects: setUnfinished.of(at), annotations: byPage.of(true) });
  }

  /** Where the cursor is in the text that is shown. */
  get place(): number {
    return this.view.state.selection.main.head;
  }

  /** Keeps where the text is scrolled to, for an editor that is hidden loses it. */
  keepScroll(): void {
    if (this.#shown) this.#shown.scroll = this.view.scrollSnapshot();
  }

  /** Scrolls to where it was kept. */
  restoreScroll(): void {
    const scroll = this.#shown?.scroll;
    if (scroll) this.view.dispatch({ effects: scroll, annotations: byPage.of(true) });
  }

  /** Marks a finding as the selected one. */
  select(finding: number | null): void {
    this.#selected = finding;
    this.view.dispatch({ effects: setSelected.of(finding), annotations: byPage.of(true) });
  }

  /** Scrolls to a finding and puts the cursor there. False where it is not in this text. */
  reveal(finding: number): boolean {
    const place = placeOf(this.view.state, finding);
    if (!place) return false;
    this.#goTo(place.from);
    return true;
  }

  /** Scrolls to a line. */
  goToLine(line: number): void {
    const { doc } = this.view.state;
    this.#goTo(doc.line(Math.min(Math.max(line, 1), doc.lines)).from);
  }

  focus(): void {
    this.view.focus();
  }

  /** Goes to the finding behind or before the cursor. */
  step(by: -1 | 1): void {
    const { state } = this.view;
    const { head } = state.selection.main;
    const current = this.#selected === null ? null : placeOf(state, this.#selected);
    // With the cursor in the selected finding, findings at the same place come one after the other.
    const at = current && current.from === head ? this.#selected : null;
    let found: { from: number; number: number } | null = null;
    let seen = at === null;
    for (const cursor = marksOf(state).iter(); cursor.value; cursor.next()) {
      const { number } = cursor.value;
      const here = { from: cursor.from, number };
      if (number === at) {
        if (by < 0) break;
        seen = true;
      } else if (by > 0) {
        if (seen && (at === null ? cursor.from > head : true)) {
          found = here;
          break;
        }
      } else if (at !== null || cursor.from < head) found = here;
      else break;
    }
    if (!found) {
      this.heard.beyond(by);
      return;
    }
    this.heard.chosen(found.number, "step");
    this.#goTo(found.from);
  }

  #goTo(at: number): void {
    const { state } = this.view;
    const effects: StateEffect<unknown>[] = [EditorView.scrollIntoView(at, { y: "center", x: "nearest", xMargin: 60 })];
    foldedRanges(state).between(at, at, (from, to) => {
      effects.push(unfoldEffect.of({ from, to }));
    });
    this.view.dispatch({ selection: EditorSelection.cursor(at), effects, annotations: byPage.of(true) });
  }

  #leave(): void {
    if (!this.#shown) return;
    this.#shown.state = this.view.state;
    this.#shown.scroll = this.view.scrollSnapshot();
  }

  #open(input: TextInput): Session {
    const { lineBreak, doc } = input.content;
    const state = EditorState.create({ doc, extensions: this.#extensions(input, lineBreak) });
    const session: Session = { id: input.id, state, lineBreak, log: [], marked: null, scroll: null };
    this.#sessions.set(input.id, session);
    return session;
  }

  /** Takes over what changed outside of the editor. */
  #follow(input: TextInput): void {
    const session = this.#shown;
    if (!session) return;
    const { state } = this.view;
    const { doc, lineBreak } = input.content;
    if (doc === state.doc) {
      if (state.readOnly !== (input.bytes !== null)) this.view.dispatch({ effects: readOnly.reconfigure(locked(input)) });
      return;
    }
    if (lineBreak !== session.lineBreak) {
      this.#sessions.delete(input.id);
      const fresh = this.#open(input);
      this.#shown = fresh;
      this.view.setState(fresh.state);
      return;
    }
    this.view.dispatch({
      changes: { from: 0, to: state.doc.length, insert: doc },
      effects: readOnly.reconfigure(locked(input)),
      annotations: byPage.of(true),
    });
    // An editor's document is its own: what is checked must be the same object, for its changes to be known.
    if (this.view.state.doc !== doc) this.heard.edited(input.id, Content.edited(this.view.state.doc, lineBreak), 0);
  }

  #marks(session: Session, result: Marked | null, of: readonly Input[]) {
    const input = of.find((one) => one.id === session.id);
    if (!result || input?.kind !== "text") return makeMarks([]);
    const { content } = input;
    const { state } = this.view;
    let changes: ChangeDesc | null = null;
    if (content.doc !== state.doc) {
      const since = session.log.findIndex((entry) => entry.from === content.doc);
      if (since < 0) return makeMarks([]);
      for (const entry of session.log.slice(since)) changes = changes ? changes.composeDesc(entry.changes) : entry.changes;
      session.log = session.log.slice(since);
    } else session.log = [];
    const placed = result.report.findings.flatMap((finding, number) => {
      const place = finding.file === input.name ? result.places[number] : null;
      if (!place) return [];
      const [from, to] = [content.toDoc(place.from), content.toDoc(place.to)];
      const moved = changes ? { from: changes.mapPos(from, 1), to: changes.mapPos(to, -1) } : { from, to };
      return [{ number, finding, ...moved }];
    });
    return makeMarks(placed);
  }

  #updated(update: ViewUpdate): void {
    const session = this.#shown;
    if (!session) return;
    if (update.docChanged) {
      session.log.push({ from: update.startState.doc, changes: update.changes.desc });
      if (session.log.length > LOG) session.log.splice(0, LOG / 2);
    }
    if (update.transactions.some((transaction) => transaction.annotation(byPage))) return;
    const { head } = update.state.selection.main;
    if (update.docChanged) this.heard.edited(session.id, Content.edited(update.state.doc, session.lineBreak), head);
    else if (update.selectionSet) {
      const open = unfinishedAt(update.state);
      if (open && (head < open.from || head > open.to + 1)) this.heard.left();
      const mark = markAt(update.state, update.state.selection.main.head);
      if (mark && mark.number !== this.#selected) this.heard.chosen(mark.number, "cursor");
    }
  }

  #extensions(input: TextInput, lineBreak: LineBreak) {
    const step = (by: -1 | 1) => () => {
      this.step(by);
      return true;
    };
    return [
      EditorState.lineSeparator.of(lineBreak),
      readOnly.of(locked(input)),
      EditorView.contentAttributes.of({
        "aria-label": `Text of ${input.name}`,
        tabindex: "0",
        spellcheck: "false",
        autocapitalize: "off",
        autocorrect: "off",
      }),
      EditorView.updateListener.of((update) => this.#updated(update)),
      // What is pasted has the line breaks of the text that it comes into.
      EditorView.clipboardInputFilter.of((text) => text.replace(/\r\n?|\n/g, lineBreak)),
      EditorView.domEventHandlers({
        blur: () => {
          // Another window is no end of typing.
          if (document.hasFocus()) this.heard.left();
        },
        paste: (event) => {
          const text = event.clipboardData?.getData("text/plain") ?? "";
          if (text.length <= EDITABLE) return false;
          event.preventDefault();
          this.heard.pastedLarge(text);
          return true;
        },
      }),
      lineNumbers(),
      findingMarks((number) => {
        this.heard.chosen(number, "mark");
        const place = placeOf(this.view.state, number);
        if (place) this.view.dispatch({ selection: EditorSelection.cursor(place.from), annotations: byPage.of(true) });
        this.view.focus();
      }),
      foldGutter(),
      codeFolding(),
      copyFolding,
      highlightSpecialChars(),
      history(),
      drawSelection(),
      highlightActiveLine(),
      highlightActiveLineGutter(),
      highlightSelectionMatches(),
      search({ top: true }),
      placeholder(EMPTY),
      dumpLanguage,
      // Tab leaves the editor, as it leaves any field.
      keymap.of([
        { key: "F8", run: step(1), shift: step(-1) },
        { key: "Mod-.", run: step(1), shift: step(-1) },
        ...searchKeymap,
        ...historyKeymap,
        ...foldKeymap,
        ...defaultKeymap,
      ]),
    ];
  }
}
