import type { ComponentChildren } from "preact";
import { findings, outcome, selected, settings } from "../state";
import type { Finding } from "../engine/types";
import { classOf, marked, placeOf, toAccept } from "../result/classes";
import { choiceOf, choose } from "../result/choices";
import { causeAt, chosen, dependents, select } from "../result/view";
import { count, seen, thousands } from "../result/words";
import { changeOf } from "../diff/lines";
import { LevelOf } from "./levels";
import { Tri } from "./tri";

/** Other places of one finding that are listed at once. */
const PLACES = 8;

/** One finding: a line, and all that there is to say about it where it is selected. */
export function FindingRow({ at, inRule, byObject }: { at: number; inRule: boolean; byObject: boolean }) {
  const finding = findings.value[at];
  if (!finding) return null;
  const open = selected.value === at;
  return (
    <li class={`finding ${open ? "open" : ""}`} id={`finding-${at}`}>
      <div class="line">
        <Switch finding={finding} />
        <button type="button" class="row" aria-expanded={open} onClick={() => (open ? (selected.value = null) : select(at))}>
          {!inRule && <span class={`badge ${classOf(finding)}`}>{finding.rule}</span>}
          <span class="message">{seen(finding.message)}</span>
          <span class="place">
            {outcome.value?.inputs.length === 1 && finding.line > 0 ? `line ${finding.line}` : seen(placeOf(finding))}
            {finding.object && !byObject && !finding.message.includes(finding.object.replace(/^\S+ /, "")) && ` · ${seen(finding.object)}`}
          </span>
        </button>
      </div>
      {open && <Detail at={at} finding={finding} withRule={!inRule} />}
    </li>
  );
}

/** Switches one fix. */
function Switch({ finding }: { finding: Finding }) {
  const choice = choiceOf(finding);
  if (choice === "none") return <span class="no-switch" />;
  const on = chosen.value.isOn(finding);
  const what = finding.fix ? finding.fix.title : `leave the statement out (accept ${toAccept(finding).join(", ")})`;
  return (
    <Tri
      class={choice}
      state={on ? "on" : "off"}
      label={seen(`Fix: ${what}${finding.fix?.lost ? `. Lost: ${finding.fix.lost}` : ""}`)}
      set={(value) => (settings.value = choose(settings.value, findings.value, [finding], value))}
    />
  );
}

function Facts({ rows }: { rows: [string, ComponentChildren][] }) {
  return (
    <dl class="facts">
      {rows.map(([word, value]) =>
        value ? (
          <>
            <dt>{word}</dt>
            <dd>{value}</dd>
          </>
        ) : null,
      )}
    </dl>
  );
}

/** A page to read on, elsewhere. */
function Docs({ url }: { url: string }) {
  if (!url.startsWith("https://")) return null;
  return (
    <a href={url} target="_blank" rel="noopener noreferrer">
      {url.replace(/^https:\/\/(www\.)?/, "")}
      <span class="visually-hidden"> (opens in a new tab)</span>
    </a>
  );
}

/** What a rule says of all its findings. */
export function RuleWords({ finding }: { finding: Finding }) {
  return (
    <div class="rule">
      <Facts
        rows={[
          ["Why", finding.why],
          ["Read more", <Docs url={finding.docs} />],
          ["Counts as", <LevelOf rule={finding.rule} />],
        ]}
      />
    </div>
  );
}

function Detail({ at, finding, withRule }: { at: number; finding: Finding; withRule: boolean }) {
  const { server_error: error, fix } = finding;
  return (
    <div class="detail">
      <Excerpt finding={finding} />
      <Facts
        rows={[
          ["Allowed", finding.allowed === null ? null : seen(finding.allowed) || "by a comment in the dump, without a reason"],
          ["Counted", finding.own_severity && `as ${finding.severity}, by configuration; the rule says ${finding.own_severity}`],
          [
            "Server",
            error && (
              <code class="server">
                ERROR {error.sqlstate}: {seen(error.text)}
                {error.detail && `\nDETAIL: ${seen(error.detail)}`}
                {error.hint && `\nHINT: ${seen(error.hint)}`}
              </code>
            ),
          ],
          [finding.related.some(({ rule }) => rule) ? "Because of" : "See", finding.related.length > 0 && <Places finding={finding} />],
          ["Dependents", dependents.value.has(at) && <Dependents at={at} />],
          ["Why", withRule && finding.why],
          ["What to do", seen(finding.help)],
          ["Fix", (fix !== null || choiceOf(finding) !== "none") && <How finding={finding} />],
          ["Lost", fix?.lost && <strong>{seen(fix.lost)}</strong>],
          ["Read more", withRule && <Docs url={finding.docs} />],
          ["Counts as", withRule && <LevelOf rule={finding.rule} />],
        ]}
      />
    </div>
  );
}

/** How a finding is solved, and by whose word. */
function How({ finding }: { finding: Finding }) {
  const { fix } = finding;
  const rules = toAccept(finding).join(", ");
  const choice = choiceOf(finding);
  if (choice === "none" && !fix) return null;
  const title = fix ? seen(fix.title) : `none saves it; accepting ${rules} leaves the statement out`;
  const state =
    choice === "none" ? ""
    : !chosen.value.isOn(finding) ? (choice === "review" ? ` (loses something: off until you accept ${rules})` : " (off: the statement stays as it is)")
    : finding.solved ? " (the rewrite does it)"
    : "";
  return (
    <>
      {title}
      {fix || finding.solved ? <span class="quiet">{state}</span> : null}
    </>
  );
}

/** Causes, and whatever else belongs to a finding. */
function Places({ finding }: { finding: Finding }) {
  const { related } = finding;
  return (
    <ul class="places">
      {related.slice(0, PLACES).map(({ rule, file, line, column, span, message }) => {
        const cause = causeAt(rule, file, span.start, line);
        const place = seen(placeOf({ file, line, column }));
        return (
          <li key={`${file}:${span.start}:${message}`}>
            {seen(message)} {rule && `(${rule}) `}
            {cause === null ? <code>{place}</code> : <Link at={cause} words={place} />}
          </li>
        );
      })}
      {related.length > PLACES && <li class="quiet">… and {count(related.length - PLACES, "more place")}</li>}
    </ul>
  );
}

function Link({ at, words }: { at: number; words: string }) {
  return (
    <button type="button" class="link" onClick={() => select(at)}>
      <code>{words}</code>
    </button>
  );
}

/** What fails because of a finding. */
function Dependents({ at }: { at: number }) {
  const all = dependents.value.get(at);
  if (!all) return null;
  return (
    <ul class="places">
      {all.slice(0, PLACES).map((other) => {
        const finding = findings.value[other];
        return finding ? (
          <li key={other}>
            {seen(finding.message)} <Link at={other} words={`${finding.rule} ${seen(placeOf(finding))}`} />
          </li>
        ) : null;
      })}
      {all.length > PLACES && <li class="quiet">… and {thousands(all.length - PLACES)} more</li>}
    </ul>
  );
}

/** The lines of the dump with the marked part, or what the fix makes of them. */
function Excerpt({ finding }: { finding: Finding }) {
  const { line, text, start, end } = finding.excerpt;
  if (text === "") return null;
  const change = chosen.value.isOn(finding) ? changeOf(finding) : null;
  if (change) {
    return (
      <pre class="excerpt" tabIndex={0} aria-label="Before and after the fix">
        {change.map(({ sign, text }, at) => (
          <span key={at} class={`row-of ${sign === "-" ? "old" : sign === "+" ? "new" : ""}`}>
            <span class="at" aria-hidden={sign === " "}>
              {sign}
            </span>
            {seen(text)}
            {"\n"}
          </span>
        ))}
      </pre>
    );
  }
  const lines: ComponentChildren[][] = [[]];
  marked(text, start, end).forEach((part, index) => {
    part.split("\n").forEach((words, at) => {
      if (at > 0) lines.push([]);
      const last = lines[lines.length - 1];
      if (words !== "") last?.push(index === 1 ? <mark>{seen(words)}</mark> : seen(words));
    });
  });
  return (
    <pre class="excerpt" tabIndex={0} aria-label="Lines of the dump">
      {lines.map((parts, at) => (
        <span key={at} class="row-of">
          <span class="at">{line + at}</span>
          {parts}
          {"\n"}
        </span>
      ))}
    </pre>
  );
}
