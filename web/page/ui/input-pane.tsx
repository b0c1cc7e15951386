import { useEffect } from "preact/hooks";
import { findings, inputs, isEmpty, selected, shown } from "../state";
import { DropZone } from "./drop";
import { editor, EditorBox, stepFinding } from "./editor-box";
import { FileView } from "./file-view";
import { HowTo } from "./how-to";
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

/** The dumps: pasted, typed, dropped or opened. */
export function InputPane() {
  const input = inputs.value[shown.value];
  useEffect(stepKeys, []);
  return (
    <section class={isEmpty.value ? "input input-empty" : "input"} aria-label="Dump">
      <InputTabs />
      <InputNotices goToLine={(line) => editor()?.goToLine(line)} />
      <div class="dump-panel" id="dump-panel" role="tabpanel" aria-labelledby={input && `tab-${input.id}`}>
        <EditorBox hidden={input?.kind !== "text"} />
        {input?.kind === "file" && <FileView input={input} key={input.id} />}
      </div>
      <InputStatus />
      <Remember />
      {isEmpty.value && <HowTo />}
      <Said />
      <DropZone />
    </section>
  );
}
