// The change that is looked at, among all of a rewrite.

import { StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, type DecorationSet } from "@codemirror/view";

/** Marks the change that begins at a place. */
export const setCurrent = StateEffect.define<number>();

const line = Decoration.line({ class: "cm-current-change" });

/** Marks one change's first line. */
export const current = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(marks, { effects, state }) {
    for (const effect of effects) if (effect.is(setCurrent)) return Decoration.set(line.range(state.doc.lineAt(effect.value).from));
    return marks;
  },
  provide: (field) => EditorView.decorations.from(field),
});
