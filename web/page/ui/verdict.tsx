import { useState } from "preact/hooks";
import { findings } from "../state";
import type { Decision, Report } from "../engine/types";
import type { Class } from "../result/classes";
import { hidden, allClasses, search, select, tab, words } from "../result/view";
import { aboutInput, aboutTarget, capital, count, notJudged, plural, seen, sentence, thousands, verdictTitle } from "../result/words";

/** Decisions that are shown at once. */
const DECISIONS = 5;
/** Losses that are shown at once. */
const LOSSES = 5;
/** Losses that are shown at all: the reports have every one. */
const MOST_LOSSES = 1000;

/** The answer, in numbers and words; what it costs; what was looked at. */
export function Verdict({ report }: { report: Report }) {
  const { sign, title } = verdictTitle(report);
  const said = `${title}: ${sentence(report)}`;
  return (
    <div class={`verdict ${report.verdict}`} data-verdict={report.verdict}>
      <p class="visually-hidden" role="status">
        {said}
      </p>
      <h2>
        <span class="sign" aria-hidden="true">
          {sign}
        </span>{" "}
        {title}
      </h2>
      <p class="sentence">{capital(sentence(report))}</p>
      <Counts report={report} />
      <Decisions decisions={report.decisions} />
      <Lost lost={report.lost} />
      <Checked report={report} />
    </div>
  );
}

/** Shows the findings of one class alone. */
function only(name: Class): void {
  tab.value = "findings";
  hidden.value = new Set(allClasses.filter((other) => other !== name));
  words.value = [];
  search.value = "";
}

function Counts({ report: { counts } }: { report: Report }) {
  const rows: [Class, number, string][] = [
    ["open", counts.unsolved, `${plural(counts.unsolved, "error")} open`],
    ["solved", counts.solved, `${plural(counts.solved, "error")} solved by the rewrite`],
    ["warning", counts.warning, plural(counts.warning, "warning")],
    ["note", counts.note, plural(counts.note, "note")],
  ];
  return (
    <ul class="counts" aria-label="Findings">
      {rows.map(([name, number, words]) => (
        <li key={name} class={`${name} ${number === 0 ? "none" : ""}`}>
          <button type="button" disabled={number === 0} onClick={() => only(name)} title={number === 0 ? undefined : "Show only these"}>
            <b>{thousands(number)}</b> {words}
          </button>
        </li>
      ))}
    </ul>
  );
}

/** What a person has to decide, each with what can be done: any one way is enough. */
function Decisions({ decisions }: { decisions: readonly Decision[] }) {
  const [all, setAll] = useState(false);
  if (decisions.length === 0) return null;
  const shown = all || decisions.length <= DECISIONS + 1 ? decisions : decisions.slice(0, DECISIONS);
  return (
    <div class="decide">
      <h3>To decide</h3>
      <ol>
        {shown.map((decision) => (
          <li key={decision.number}>
            <button type="button" class="link" onClick={() => show(decision)} title="Show its first place">
              {seen(decision.title)}
            </button>{" "}
            <span class="quiet">({count(decision.blocks, "statement")})</span>
            <ul>
              {decision.choices.map(({ what, lost, command }) => (
                <li key={what}>
                  {seen(command ? what.replace(/\.$/, "") : what)}
                  {command && (
                    <>
                      : <code>{seen(command)}</code>
                    </>
                  )}
                  {lost && <span class="quiet"> (lost: {seen(lost)})</span>}
                </li>
              ))}
            </ul>
          </li>
        ))}
      </ol>
      {decisions.length > DECISIONS + 1 && (
        <button type="button" class="link" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? "Show fewer" : `Show all ${thousands(decisions.length)}`}
        </button>
      )}
    </div>
  );
}

/** Selects the first finding of a decision. */
function show({ number }: Decision): void {
  const at = findings.value.findIndex((finding) => finding.decision === number);
  if (at >= 0) select(at);
}

/** What the target will not have: never hidden, folded where it is long. */
function Lost({ lost }: { lost: readonly string[] }) {
  const [all, setAll] = useState(false);
  if (lost.length === 0) return null;
  // One more than would be left out takes no more room than saying so.
  const shown = all || lost.length <= LOSSES + 1 ? lost.slice(0, MOST_LOSSES) : lost.slice(0, LOSSES);
  return (
    <div class="lost">
      <h3>The target will not have, after the rewrite</h3>
      <ul>
        {shown.map((loss) => (
          <li key={loss}>{seen(loss)}</li>
        ))}
      </ul>
      {lost.length > LOSSES + 1 && (
        <button type="button" class="link" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? "Show fewer" : lost.length > MOST_LOSSES ? `Show ${thousands(MOST_LOSSES)} of ${thousands(lost.length)}` : `Show all ${thousands(lost.length)}`}
        </button>
      )}
      {all && lost.length > MOST_LOSSES && <p class="quiet">… and {thousands(lost.length - MOST_LOSSES)} more: the downloaded reports have them all.</p>}
    </div>
  );
}

function Checked({ report }: { report: Report }) {
  return (
    <ul class="checked" aria-label="What was checked">
      {report.inputs.map((input) => (
        <li key={input.name}>
          <b>{seen(input.name)}</b> {aboutInput(input)}
        </li>
      ))}
      <li>for {aboutTarget(report)}</li>
      {report.options.accept.length > 0 && <li>losses accepted: {report.options.accept.join(", ")}</li>}
      {notJudged(report).map((words) => (
        <li key={words}>{seen(words)}</li>
      ))}
    </ul>
  );
}
