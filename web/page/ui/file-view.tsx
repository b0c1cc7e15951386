import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { findings, phase, selected, type FileInput } from "../state";
import type { Finding } from "../engine/types";
import { size } from "./size";

/** So many bytes are read on either side of a finding. */
const AROUND = 1500;
/** So many lines are shown on either side of its first line. */
const LINES = 8;

interface Excerpt {
  /** The number of the first line. */
  line: number;
  before: string;
  place: string;
  after: string;
}

const isPacked = async (file: File): Promise<boolean> => {
  const head = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  return (head[0] === 0x1f && head[1] === 0x8b) || (head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd);
};

/** The lines around a finding: from the file, or from the report where the file is compressed or an archive. */
async function around({ file, isArchive }: FileInput, finding: Finding): Promise<Excerpt> {
  const { span, excerpt, line } = finding;
  if (isArchive || (await isPacked(file))) {
    const encoded = new TextEncoder().encode(excerpt.text);
    const part = (from: number, to?: number): string => new TextDecoder().decode(encoded.slice(from, to));
    return { line: excerpt.line, before: part(0, excerpt.start), place: part(excerpt.start, excerpt.end), after: part(excerpt.end) };
  }
  const from = Math.max(0, span.start - AROUND);
  const end = Math.min(span.end, span.start + AROUND);
  const decode = async (start: number, stop: number): Promise<string> =>
    new TextDecoder().decode(await file.slice(start, stop).arrayBuffer());
  const [before, place, after] = await Promise.all([decode(from, span.start), decode(span.start, end), decode(end, end + AROUND)]);
  const head = before.split("\n");
  // The first line that was read may be a part of one.
  const kept = head.slice(Math.max(from > 0 ? 1 : 0, head.length - 1 - LINES));
  const tail = after.split("\n").slice(0, LINES + 1);
  return { line: line - (kept.length - 1), before: kept.join("\n"), place, after: tail.join("\n") };
}

/** A dump that no editor holds: what it is, and the selected finding in it. */
export function FileView({ input }: { input: FileInput }) {
  const excerpt = useSignal<Excerpt | null>(null);
  const number = selected.value;
  const finding = number === null ? undefined : findings.value[number];
  const own = finding?.file === input.name ? finding : undefined;
  useEffect(() => {
    let current = true;
    excerpt.value = null;
    if (own) {
      void around(input, own).then(
        (found) => {
          if (current) excerpt.value = found;
        },
        () => {},
      );
    }
    return () => {
      current = false;
    };
  }, [own, input.file]);

  return (
    <div class="file-view">
      <p>
        <strong>{input.name}</strong> · {size(input.file.size)}
      </p>
      {phase.value.kind !== "refused" && (
        <p class="quiet">
          {input.isArchive
            ? "An archive of pg_dump: its table of contents is read, and its schema is checked as the script that pg_restore prints. Its rows are not read."
            : "It stays a file: it is read in pieces, checked and rewritten as it is, and no editor holds it."}
        </p>
      )}
      {own && excerpt.value ? (
        <Lines excerpt={excerpt.value} finding={own} />
      ) : (
        <p class="quiet">{findings.value.some((one) => one.file === input.name) && "Select a finding to see the lines around it."}</p>
      )}
    </div>
  );
}

function Lines({ excerpt, finding }: { excerpt: Excerpt; finding: Finding }) {
  const { line, before, place, after } = excerpt;
  const count = (before + place + after).split("\n").length;
  const numbers = Array.from({ length: count }, (_, at) => line + at).join("\n");
  return (
    <div class="file-lines" tabIndex={0} role="group" aria-label={`${finding.file}, around line ${finding.line}`} data-file-lines>
      <pre class="numbers" aria-hidden="true">
        {numbers}
      </pre>
      <pre>
        {before}
        <mark class={`place-${finding.severity}`}>{place}</mark>
        {after}
      </pre>
    </div>
  );
}
