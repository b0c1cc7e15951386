import { useSignal } from "@preact/signals";
import { findings, settings } from "../state";
import { type Candidate, candidates, chosenWord, wordOf } from "../result/hypertables";
import { find, report, select } from "../result/view";
import { count, seen } from "../../view/words";
import { ScriptView } from "./take";

/** Takes a table into the settings, or out of them. */
function set(table: string, word: string | null): void {
  const rest = (settings.value.hypertables ?? []).filter((other) => !other.startsWith(`${table}:`));
  settings.value = { ...settings.value, hypertables: word === null ? rest : [...rest, word].sort() };
}

/** Tables that could be hypertables, and what makes them such. */
export function Hypertables() {
  const all = candidates(findings.value);
  const asked = settings.value.hypertables ?? [];
  // What cannot become one any more is not suggested: it is still what was asked for.
  const others = asked.filter((word) => !all.some(({ table }) => word.startsWith(`${table}:`)));
  const script = report.value?.scripts.find(({ file }) => file === "convert-to-hypertables.sql");
  return (
    <div class="hypertables">
      <p class="quiet">
        These tables look like time series. A hypertable creates its partitions by itself, compresses old ones, drops them by a policy
        and reads only those that a query needs. This is advice: the dump restores without it. Choose a table, and the rewritten
        dump restores it as a hypertable; or run the script after the restore.
      </p>
      <ul>
        {others.map((word) => (
          <Refused key={word} word={word} />
        ))}
        {all.map((candidate) => (
          <CandidateView key={candidate.table} candidate={candidate} />
        ))}
      </ul>
      {script && <ScriptView script={script} />}
    </div>
  );
}

function CandidateView({ candidate }: { candidate: Candidate }) {
  const { at, table, column, score, parts, words, isChosen } = candidate;
  const word = chosenWord(settings.value.hypertables ?? [], table);
  const prefix = `${table}:${column}`;
  const interval = useSignal(word?.startsWith(`${prefix}:`) ? word.slice(prefix.length + 1) : "");
  const take = (): void => set(table, wordOf(table, column, interval.value));
  return (
    <li class="card">
      <h3>
        <code>{seen(table)}</code> on the column <code>{seen(column)}</code>
        {score !== null && <span class="badge note">score {score}</span>}
        {isChosen && <span class="badge solved">restored as a hypertable</span>}
      </h3>
      {parts.length > 0 && (
        <ul class="parts">
          {parts.map(({ points, why }) => (
            <li key={why}>
              <b class={points.startsWith("-") ? "minus" : "plus"}>{points.replace("-", "−")}</b> {seen(why)}
            </li>
          ))}
        </ul>
      )}
      <p class="quiet">{seen(words)}</p>
      <div class="buttons">
        <label class="check">
          <input
            type="checkbox"
            checked={word !== undefined}
            onChange={(event) => (event.currentTarget.checked ? take() : set(table, null))}
          />{" "}
          Restore as hypertable
        </label>
        <label>
          Chunks of{" "}
          <input
            type="text"
            size={9}
            placeholder="by itself"
            value={interval.value}
            aria-label={`Interval of the chunks of ${seen(table)}, such as 1 day`}
            onChange={(event) => {
              interval.value = event.currentTarget.value;
              if (word !== undefined) take();
            }}
          />
        </label>
        <button type="button" class="link" onClick={() => select(at)}>
          Show in findings
        </button>
      </div>
    </li>
  );
}

/** A table that was asked for, and that something stands in the way of. */
function Refused({ word }: { word: string }) {
  const table = /^((?:"(?:[^"]|"")*"|[^":])+):/.exec(word)?.[1] ?? word;
  const errors = findings.value.filter(
    ({ rule, severity, message, object }) =>
      rule.startsWith("HT-") && severity === "error" && (message.includes(table) || object?.includes(table) === true),
  );
  return (
    <li class="card refused">
      <label class="check">
        <input type="checkbox" checked onChange={() => set(table, null)} /> Restore as hypertable: <code>{seen(word)}</code>
      </label>
      <p>
        {errors.length === 0 ? (
          "No dump creates this table, or it is a hypertable already."
        ) : (
          <>
            It cannot be one yet: {count(errors.length, "error")}.{" "}
            <button
              type="button"
              class="link"
              onClick={() => find(`ht- ${table}`)}
            >
              Show
            </button>
          </>
        )}
      </p>
    </li>
  );
}
