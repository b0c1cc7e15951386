import { catalogue, findings, outcome } from "../state";
import type { Rule } from "../engine/report";
import { docs as docsLink } from "../../view/controls";
import { find, rulePage } from "../result/view";
import { count, seen } from "../../view/words";
import { CopyButton } from "./copy";
import { Drawn } from "./drawn";
import { levelChoice } from "./levels";

const FIXES: Record<Rule["fix"], string> = {
  safe: "The rewrite applies its fix by itself.",
  review: "Its fix loses something: the rewrite applies it once you accept that.",
  none: "It has no fix: a person decides.",
};

/** What there is to read about one rule, from the catalogue. */
export function RulePage({ id }: { id: string }) {
  const rules = catalogue.value?.rules;
  if (!rules) return <p class="nothing quiet">The rules are being loaded.</p>;
  const rule = rules.find((one) => one.id === id);
  return (
    <article class="rule-page" aria-labelledby="rule-title">
      <nav class="buttons" aria-label="Rules">
        <button type="button" class={outcome.value ? "main" : ""} onClick={() => (rulePage.value = null)}>
          {outcome.value ? "Back to the result" : "Check a dump"}
        </button>
        <label>
          Rule{" "}
          <select value={rule ? id : ""} onChange={(event) => (rulePage.value = event.currentTarget.value)}>
            {!rule && <option value="">choose one</option>}
            {rules.map((one) => (
              <option key={one.id} value={one.id}>
                {one.id} {one.name}
              </option>
            ))}
          </select>
        </label>
      </nav>
      {rule ? (
        <About rule={rule} />
      ) : (
        <>
          <h2 id="rule-title">No rule of dumps is called {seen(id)}</h2>
          <p>
            Rules about live servers and about schemas that move are explained on the command line: <code>tsmigrate rules</code>
          </p>
        </>
      )}
    </article>
  );
}

function About({ rule }: { rule: Rule }) {
  const { id, name, severity, fix, summary, what, why, server, help, before, after, docs } = rule;
  const number = findings.value.filter((finding) => finding.rule === id).length;
  return (
    <>
      <h2 id="rule-title">
        {id} <span class="quiet">{name}</span> <span class={`badge ${severity === "error" ? "open" : severity}`}>{severity}</span>
      </h2>
      <p class="sentence">{summary}</p>
      {number > 0 && (
        <p>
          <button type="button" class="link" onClick={() => find(id)}>
            Show {count(number, "finding")} of it in this dump
          </button>
        </p>
      )}
      <h3>What it finds</h3>
      <p>{what}</p>
      <h3>Why</h3>
      <p>{why}</p>
      {server.length > 0 && (
        <>
          <h3>What the server says</h3>
          <ul class="server-words">
            {server.map((line) => (
              <li key={line}>
                <code>{line}</code>
              </li>
            ))}
          </ul>
        </>
      )}
      <h3>What to do</h3>
      <p>{help}</p>
      <p class="quiet">{FIXES[fix]}</p>
      {before && <Sample title={after ? "Before" : "Example"} sql={before} />}
      {after && <Sample title="After the rewrite" sql={after} />}
      <dl class="facts">
        <dt>Read more</dt>
        <dd>
          <Drawn of={() => docsLink(docs)} />
        </dd>
        <dt>Counts as</dt>
        <dd>
          <Drawn of={() => levelChoice(id)} />
        </dd>
      </dl>
    </>
  );
}

function Sample({ title, sql }: { title: string; sql: string }) {
  return (
    <>
      <h3>{title}</h3>
      <div class="command">
        <pre tabIndex={0} aria-label={title}>
          <code>{sql}</code>
        </pre>
        <CopyButton text={sql} of={title.toLowerCase()} />
      </div>
    </>
  );
}
