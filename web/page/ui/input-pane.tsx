import { useEffect } from "preact/hooks";
import { closed, findings, folded, inputs, isEmpty, outcome, reopen, selected, shown } from "../state";
import { DropZone } from "./drop";
import { editor, EditorBox, stepFinding } from "./editor-box";
import { FileView } from "./file-view";
import { InputNotices } from "./input-notices";
import { InputStatus } from "./input-status";
import { InputTabs } from "./input-tabs";
import { Remember } from "./remember";

/** F8 goes through the findings from anywhere; the editor goes on from its cursor. */
function stepKeys(): () => void {
  const hear = (event: KeyboardEvent): void => {
    if (event.key !== "F8" || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    stepFinding(event.shiftKey ? -1 : 1);
  };
  window.addEventListener("keydown", hear);
  return () => window.removeEventListener("keydown", hear);
}

/** The selected finding in words, for who does not see it marked. */
function Said() {
  const number = selected.value;
  const finding = number === null ? undefined : findings.value[number];
  const count = findings.value.length;
  return (
    <p class="visually-hidden" aria-live="polite" data-said>
      {finding && number !== null && `Finding ${number + 1} of ${count}: ${finding.severity} ${finding.rule}, ${finding.file} line ${finding.line}: ${finding.message}`}
    </p>
  );
}

/** The input that was closed last, with a way to have it back. */
function Closed() {
  const last = closed.value;
  return (
    <div role="status" class={last ? "notice notice-note closed" : "closed"}>
      {last && (
        <>
          <span>{last.input.name} was closed.</span>{" "}
          <button type="button" onClick={reopen}>
            Undo
          </button>
        </>
      )}
    </div>
  );
}

/** Shows the dump on a small screen, where the result stands first. */
function Unfold() {
  const isFolded = folded.value;
  return (
    <button type="button" class="unfold" aria-expanded={!isFolded} aria-controls="dump-panel" onClick={() => (folded.value = !isFolded)}>
      {isFolded ? "Show the dump" : "Hide the dump"}
    </button>
  );
}

/** The dumps: pasted, typed, dropped or opened. */
export function InputPane() {
  const input = inputs.value[shown.value];
  useEffect(stepKeys, []);
  return (
    <section class={isEmpty.value ? "input input-empty" : "input"} aria-label="Dump">
      <InputTabs />
      <Closed />
      <InputNotices goToLine={(line) => editor()?.goToLine(line)} />
      {!isEmpty.value && outcome.value && <Unfold />}
      <div class="dump-panel" id="dump-panel" role="tabpanel" aria-labelledby={input && `tab-${input.id}`}>
        <EditorBox hidden={input?.kind !== "text"} />
        {input?.kind === "file" && <FileView input={input} key={input.id} />}
      </div>
      <InputStatus />
      <Remember />
      <Said />
      <DropZone />
    </section>
  );
}
