import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { Cancelled } from "../engine/engine";
import { findings, outcome, phase, rewritten, shown } from "../state";
import type { Input } from "../state";
import { show, type Marked, type Shower } from "../diff/merge";
import { chosen, report, select, tab, total as inAll } from "../result/view";
import { bytes, count, seen, thousands } from "../../view/words";
import { editor } from "./editor-box";
import { remove } from "./take";
import { changeOf } from "../../view/lines";

/** A larger text is not shown as a whole: a browser would be busy for long. */
const LARGEST = 4 << 20;
/** Changes of a large input that are shown one by one. */
const ONE_BY_ONE = 200;

/** The dump and its rewrite. */
export function Rewrite() {
  // The input that was looked at last.
  const at = useSignal(shown.peek());
  const all = outcome.value?.inputs ?? [];
  const index = Math.min(at.value, all.length - 1);
  const input = all[index];
  if (!input || !report.value) return null;
  return (
    <div class="rewrite">
      <div class="tools">
        {all.length > 1 && (
          <label>
            Input{" "}
            <select value={String(index)} onChange={(event) => (at.value = Number(event.currentTarget.value))}>
              {all.map(({ id, name }, number) => (
                <option key={id} value={String(number)}>
                  {seen(name)}
                </option>
              ))}
            </select>
          </label>
        )}
        <span class="quiet">
          {report.value.counts.unsolved > 0 && `${count(report.value.counts.unsolved, "error")} will remain. `}
        </span>
        <label class="check">
          <input type="checkbox" checked={remove.value} onChange={(event) => (remove.value = event.currentTarget.checked)} /> Delete what
          is removed
        </label>
        <button type="button" class="main" onClick={() => (tab.value = "take")}>
          Download …
        </button>
      </div>
      {input.kind === "text" && !input.bytes && input.text.length <= LARGEST ? (
        <Diff input={input} index={index} />
      ) : (
        <OneByOne input={input} />
      )}
    </div>
  );
}

function Diff({ input, index }: { input: Extract<Input, { kind: "text" }>; index: number }) {
  const place = useRef<HTMLDivElement>(null);
  const failed = useSignal<string | null>(null);
  const same = useSignal(false);
  const result = outcome.value?.result;
  const isReady = phase.value.kind === "checked";
  const view = useRef<Shower | null>(null);
  const at = useSignal<{ number: number; count: number } | null>(null);
  const tell = (): void => {
    at.value = view.current && { number: view.current.at + 1, count: view.current.count };
  };
  const step = (by: -1 | 1): void => {
    view.current?.step(by);
    tell();
  };
  useEffect(() => {
    const hear = (event: KeyboardEvent): void => {
      if (event.key !== "F7") return;
      event.preventDefault();
      step(event.shiftKey ? -1 : 1);
    };
    window.addEventListener("keydown", hear);
    return () => window.removeEventListener("keydown", hear);
  }, []);
  // Another input begins where the editor is.
  useEffect(() => () => {
    view.current?.end();
    view.current = null;
  }, [index]);
  useEffect(() => {
    if (!isReady || !result) return;
    let isOver = false;
    failed.value = null;
    const isDeleted = remove.value;
    const planned = result.changes[index] ?? [];
    void rewritten(index, isDeleted).then(
      async (blob) => {
        const after = await blob.text();
        if (isOver || !place.current) return;
        same.value = after === input.text;
        const stood = view.current?.place ?? (shown.peek() === index ? (editor()?.place ?? 0) : 0);
        view.current?.end();
        view.current = null;
        place.current.replaceChildren();
        if (!same.value) {
          const marks: Marked[] = findings.value.flatMap((finding, number) => {
            const range = finding.file === result.report.inputs[index]?.name ? result.places[number] : null;
            return range && finding.fix && chosen.value.isOn(finding) ? [{ from: range.from, rule: finding.rule, finding: number }] : [];
          });
          const narrow = matchMedia("(max-width: 860px)").matches;
          view.current = show(place.current, { before: input.text, after, planned, isDeleted, marks, select, place: stood, narrow });
        }
        tell();
      },
      (error: unknown) => {
        // Another check took its place: what it finds is shown then.
        if (!isOver && !(error instanceof Cancelled)) failed.value = error instanceof Error ? error.message : String(error);
      },
    );
    return () => {
      isOver = true;
    };
  }, [result, index, remove.value, isReady]);
  return (
    <>
      {failed.value && (
        <p role="alert" class="refused">
          The rewrite could not be made: {failed.value}
        </p>
      )}
      {at.value && at.value.count > 0 && (
        <div class="steps" role="group" aria-label="Changes">
          <button type="button" onClick={() => step(-1)} title="Shift+F7">
            Previous change
          </button>
          <button type="button" onClick={() => step(1)} title="F7">
            Next change
          </button>
          <span role="status">
            {at.value.number > 0 ? `Change ${thousands(at.value.number)} of ${thousands(at.value.count)}` : count(at.value.count, "change")}
          </span>
        </div>
      )}
      {same.value && <p class="nothing quiet">Nothing changes in this input.</p>}
      <div class="heads" hidden={same.value} aria-hidden="true">
        <span>As it is</span>
        <span>Rewritten</span>
      </div>
      <div class="merge" ref={place} />
    </>
  );
}

/** The changes of an input that is too large to be shown as a whole. */
function OneByOne({ input }: { input: Input }) {
  const size = input.kind === "file" ? input.file.size : input.text.length;
  const on = findings.value.flatMap((finding, at) => (finding.file === input.name && chosen.value.isOn(finding) ? [{ at, finding }] : []));
  const changed = on.slice(0, ONE_BY_ONE).flatMap(({ at, finding }) => {
    const lines = changeOf(finding);
    return lines ? [{ at, finding, lines }] : [];
  });
  return (
    <>
      <p class="quiet">
        {size > LARGEST
          ? `${seen(input.name)} has ${bytes(size)}: too much to be shown as a whole. `
          : `${seen(input.name)} is not all UTF-8: it is rewritten byte by byte, and not shown as a whole. `}
        The changes one by one:
      </p>
      <ul class="changes">
        {changed.map(({ at, finding, lines }) => (
          <li key={at}>
            <button type="button" class="link" onClick={() => select(at)}>
              {finding.rule} line {finding.line}
            </button>
            <pre class="excerpt" tabIndex={0} aria-label={`Change of line ${finding.line}`}>
              {lines.map(({ sign, text }, number) => (
                <span key={number} class={`row-of ${sign === "-" ? "old" : sign === "+" ? "new" : ""}`}>
                  <span class="at">{sign}</span>
                  {seen(text)}
                  {"\n"}
                </span>
              ))}
            </pre>
          </li>
        ))}
      </ul>
      {on.length > ONE_BY_ONE && (
        <p class="quiet">
          These are the first {ONE_BY_ONE} of {inAll.value > findings.value.length ? "more" : count(on.length, "change")}: download the dump to see them
          all.
        </p>
      )}
    </>
  );
}
