import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { cancel, check, inputs, isEmpty, phase, reading, shown } from "../state";
import { size } from "./size";

/** Milliseconds until somebody wants to know how far it is. */
const MOMENT = 300;

/** What is under way, with a way to stop it; else what the text is. */
export function InputStatus() {
  const slow = useSignal(false);
  const now = phase.value;
  const busy = now.kind === "checking" || reading.value !== null;
  useEffect(() => {
    slow.value = false;
    if (!busy) return;
    const timer = setTimeout(() => (slow.value = true), MOMENT);
    return () => clearTimeout(timer);
  }, [busy]);

  return (
    <div class="input-status" tabIndex={-1}>
      {busy && slow.value ? <Progress /> : now.kind === "cancelled" && !isEmpty.value ? <Stopped /> : <About />}
    </div>
  );
}

function Progress() {
  const now = phase.value;
  const known = now.kind === "checking" && now.total > 0 && reading.value === null;
  const words =
    reading.value !== null
      ? `Reading ${reading.value}`
      : known
        ? `Checking: ${size(now.done)} of ${size(now.total)}`
        : "Checking";
  const cancelling = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    const button = cancelling.current;
    return () => {
      // The button goes with the check: who stands on it stays in the same row.
      if (button && button === document.activeElement) button.closest<HTMLElement>(".input-status")?.focus();
    };
  }, []);
  return (
    <>
      <span>{words}</span>
      {known ? <progress aria-label="Checking" value={now.done} max={now.total} /> : <progress aria-label={words} />}
      <button type="button" class="cancel" ref={cancelling} onClick={cancel}>
        Cancel
      </button>
    </>
  );
}

/** Its button is at the row's start: Cancel was at the end, and may be pressed twice. */
function Stopped() {
  return (
    <>
      <button type="button" onClick={() => void check()}>
        Check again
      </button>
      <span>The check was cancelled.</span>
    </>
  );
}

function About() {
  const input = inputs.value[shown.value];
  if (!input || isEmpty.value) return <span>.sql, .gz, .zst, and archives of pg_dump, of any size; roles and schema together.</span>;
  if (input.kind === "file") return <span>{size(input.file.size)}</span>;
  const { doc, lineBreak } = input.content;
  return (
    <>
      <span>{doc.lines.toLocaleString("en")} lines</span>
      {lineBreak === "\r\n" && <span>CRLF</span>}
      {input.bytes && <span>not UTF-8</span>}
      <span class="keys">
        <kbd>F8</kbd> next finding · <kbd>Ctrl</kbd> <kbd>F</kbd> search
      </span>
    </>
  );
}
