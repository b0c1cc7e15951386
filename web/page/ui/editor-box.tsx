import { effect, untracked } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { DumpEditor } from "../editor/editor";
import "../editor/editor.css";
import "../editor/marks.css";
import "./input.css";
import { addFiles, edit, findings, inputs, outcome, phase, revealed, select, selected, settle, shown } from "../state";
import { tab } from "../result/view";

/** The editor that is there; there is one page and one editor. */
let current: DumpEditor | null = null;

export const editor = (): DumpEditor | null => current;

/** Goes to the next or the previous finding, in the order of the report. */
export function stepFinding(by: -1 | 1): void {
  const count = findings.value.length;
  if (count === 0) return;
  const before = selected.value ?? (by > 0 ? -1 : count);
  select((before + by + count) % count, true);
}

/** The first or the last finding of the inputs behind or before the one that is shown. */
function beyond(by: -1 | 1): void {
  const names = inputs.value.map((input) => input.name);
  for (let step = 1; step <= names.length; step++) {
    const name = names[(((shown.value + by * step) % names.length) + names.length) % names.length];
    const own = findings.value.flatMap((finding, number) => (finding.file === name ? [{ number, at: finding.span.start }] : []));
    own.sort((a, b) => a.at - b.at);
    const found = own.at(by > 0 ? 0 : -1);
    if (found) {
      select(found.number, true);
      return;
    }
  }
}

/** Shows the dump that is to be seen, with its findings. */
function showCurrent(editor: DumpEditor): void {
  const input = inputs.value[shown.value];
  if (input?.kind !== "text") return;
  editor.show(input, inputs.value);
  const last = outcome.value;
  editor.mark(last?.result ?? null, last?.inputs ?? []);
}

/** Ties an editor to the page's state. */
function tie(editor: DumpEditor): () => void {
  let isHidden = false;
  const ties = [
    effect(() => showCurrent(editor)),
    effect(() => editor.select(selected.value)),
    // The rewrite takes the whole page: an editor that is hidden forgets its place.
    effect(() => {
      const hides = tab.value === "rewrite";
      if (hides && !isHidden) editor.keepScroll();
      else if (!hides && isHidden) requestAnimationFrame(() => requestAnimationFrame(() => editor.restoreScroll()));
      isHidden = hides;
    }),
    effect(() => {
      const now = phase.value;
      const id = inputs.value[shown.value]?.id;
      editor.unfinished(now.kind === "unfinished" && now.at.id === id ? now.at : null);
    }),
    // A finding that was chosen elsewhere is shown, in whatever input it is.
    effect(() => {
      const number = selected.value;
      void revealed.value;
      if (number === null || number === chosenHere) return;
      untracked(() => {
        const finding = findings.value[number];
        const at = inputs.value.findIndex((input) => input.name === finding?.file);
        if (at >= 0) shown.value = at;
        // The effect that shows it runs after this one.
        showCurrent(editor);
        editor.reveal(number);
      });
    }),
  ];
  return () => {
    for (const untie of ties) untie();
  };
}

/** The finding that was chosen in the editor: it is in view there already. */
let chosenHere: number | null = null;

/** The editor of the dump that is shown. */
export function EditorBox({ hidden }: { hidden: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!box.current) return;
    const made = new DumpEditor(box.current, {
      edited: edit,
      left: settle,
      chosen: (finding, how) => {
        // With the panes below each other, the list would scroll the text away from who puts the cursor there.
        if (how === "cursor" && matchMedia("(max-width: 860px)").matches) return;
        chosenHere = finding;
        selected.value = finding;
        chosenHere = null;
      },
      beyond,
      pastedLarge: (text) => void addFiles([new File([text], "pasted.sql")]),
    });
    current = made;
    const untie = tie(made);
    return () => {
      untie();
      made.destroy();
      current = null;
    };
  }, []);
  return <div class="editor-box" ref={box} hidden={hidden} />;
}
