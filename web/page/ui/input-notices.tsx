import { useSignal } from "@preact/signals";
import { catalogue, check, editAsText, inputs, outcome, phase, shown } from "../state";
import type { Refusal } from "../engine/types";
import { UNREADABLE } from "../unfinished";
import { Command } from "./copy";

/** What stands in the way of a check, and what to do about it. */
export function InputNotices({ goToLine }: { goToLine: (line: number) => void }) {
  const now = phase.value;
  const input = inputs.value[shown.value];
  return (
    <>
      {now.kind === "refused" && <Refused refusal={now.refusal} goToLine={goToLine} />}
      {now.kind === "crashed" && <Stopped message={now.message} />}
      <NoDump />
      {input?.kind === "text" && input.bytes && (
        <div class="notice notice-note">
          <p>
            <strong>{input.name} has bytes that are not UTF-8.</strong> They are shown as {"\ufffd"}. The dump is checked and rewritten byte for
            byte, as it is.
          </p>
          <p>
            <button type="button" onClick={() => editAsText(input.id)}>
              Edit it as UTF-8
            </button>{" "}
            Each {"\ufffd"} is then a character of the text.
          </p>
        </div>
      )}
    </>
  );
}

const COMMAND = /\b(?:pg_restore|pg_dump|gunzip|gzip|zstd|lz4|xz|bunzip2|unzip|iconv) -(?:(?! \(with |, or )[^|])*(?<! )/g;

/** What to do, in words before and after a command; pipes into the command line program are of no use here. */
function parts(next: string): { before: string; command: string | null; after: string } {
  // The last one turns this file into what can be read.
  const found = [...next.matchAll(COMMAND)].at(-1);
  if (!found) return { before: `${next}.`, command: null, after: "" };
  const unpacks = next.slice(found.index + found[0].length).startsWith(" | ");
  const command = unpacks ? `${found[0]} > dump.sql` : found[0];
  const after = unpacks ? "" : next.slice(found.index + found[0].length).replace(/^ \((.*)\)$/, "$1");
  const before = next.slice(0, found.index).replace(", or pipe it in", "");
  return { before, command, after: after === "" ? "" : `${upper(after)}.` };
}

const upper = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function Refused({ refusal, goToLine }: { refusal: Refusal; goToLine: (line: number) => void }) {
  const { input, what, next, line } = refusal;
  const at = inputs.value.findIndex((one) => one.name === input);
  const { before, command, after } = parts(next);
  return (
    <div class="notice notice-error" role="alert" data-refused>
      <p>
        <strong>{input} cannot be checked:</strong> {what}.
      </p>
      <p>{upper(before)}</p>
      {command !== null && <Command text={command} of="the command" />}
      {after && <p>{after}</p>}
      {line !== null && inputs.value[at]?.kind === "text" && (
        <p class="notice-tools">
          <button
            type="button"
            onClick={() => {
              shown.value = at;
              requestAnimationFrame(() => goToLine(line));
            }}
          >
            Go to line {line}
          </button>
        </p>
      )}
    </div>
  );
}

function Stopped({ message }: { message: string }) {
  const open = useSignal(false);
  return (
    <div class="notice notice-error" role="alert" data-crashed>
      {catalogue.value === null ? (
        <p>
          <strong>The checker does not start in this browser.</strong> It needs WebAssembly, and a browser that is not older than two years.
        </p>
      ) : (
        <p>
          <strong>The checker stopped on this text.</strong> That is a defect of the checker, or the text is too much for it. Your text is still
          here, and a fresh checker is ready.
        </p>
      )}
      <p class="notice-tools">
        <button type="button" class="primary" onClick={() => void check()}>
          Check again
        </button>
        <button type="button" aria-expanded={open.value} onClick={() => (open.value = !open.value)}>
          What it said
        </button>
      </p>
      {open.value && <pre tabIndex={0}>{message}</pre>}
    </div>
  );
}

/** A text that is no dump at all: an error page, a letter. */
function NoDump() {
  const last = outcome.value;
  if (!last) return null;
  const { report } = last.result;
  const odd = report.inputs.find((input) => {
    const wrong = report.findings.filter((finding) => finding.file === input.name && finding.rule === UNREADABLE).length;
    return wrong > 0 && wrong >= input.statements;
  });
  if (!odd) return null;
  const input = last.inputs.find((one) => one.name === odd.name);
  const begins = input?.kind === "text" ? /\S[^\r\n]{0,60}/.exec(input.text.slice(0, 5000))?.[0] : null;
  return (
    <div class="notice notice-warning" role="status" data-no-dump>
      <p>
        <strong>{odd.name} does not look like a dump:</strong> PostgreSQL can read none of its statements.
        {begins && (
          <>
            {" "}
            It begins with <code>{begins}</code>.
          </>
        )}
      </p>
      <p>
        A dump in plain format is what pg_dump writes without <code>--format</code>.
      </p>
    </div>
  );
}
