import { signal } from "@preact/signals";
import { catalogue, findings, outcome, rewritten, settings, stage, written } from "../state";
import type { Format } from "../engine/types";
import type { Report, Script } from "../engine/report";
import { renamed } from "../input";
import { report, tab } from "../result/view";
import { checkCommand, command, configuration, needsFile, rewrittenName } from "../result/command";
import { bytes, count, seen } from "../../view/words";
import { Copyable } from "./copyable";
import { save } from "./save";

/** Statements that are taken out are deleted; they stay as comments otherwise. */
export const remove = signal(false);

/** Why the last file could not be made. */
const failure = signal<string | null>(null);
const busy = signal<string | null>(null);

/** Makes a file and saves it; says so where that fails. */
async function make(what: string, name: string, blob: () => Promise<Blob> | Blob): Promise<void> {
  busy.value = what;
  failure.value = null;
  try {
    save(name, await blob());
  } catch (error) {
    failure.value = `${name} could not be created (${error instanceof Error ? error.message : String(error)}): check the dump again`;
  } finally {
    busy.value = null;
  }
}

const REPORTS: [Format, string, string][] = [
  ["html", "HTML", "one page, for people"],
  ["json", "JSON", "for programs"],
  ["sarif", "SARIF", "for code hosts and editors"],
  ["markdown", "Markdown", "for tickets"],
];

const EXTENSIONS: Record<Format, string> = { html: "html", json: "json", sarif: "sarif", markdown: "md" };

/** The name of a report: that of the dump, where there is one. */
function reportName(report: Report, format: Format): string {
  const [one] = report.inputs;
  const stem = report.inputs.length === 1 && one ? one.name.replace(/(\.sql)?(\.gz|\.zst)?$/i, "") : "tsmigrate";
  return `${stem}.report.${EXTENSIONS[format]}`;
}

/** What can be taken away: dumps, reports, scripts, and the command that makes them. */
export function Take() {
  const shown = report.value;
  if (!shown) return null;
  const idle = stage.value === "checked" && busy.value === null;
  const inputs = shown.inputs.map(({ name }) => name);
  const isArchive = (outcome.value?.inputs ?? []).map((input) => input.kind === "file" && input.isArchive);
  const texts = inputs.map((name, at) => ({ name, at })).filter(({ at }) => !isArchive[at]);
  const asked = { names: inputs, settings: settings.value, remove: remove.value, scripts: shown.scripts.length > 0 };
  const all = async (): Promise<void> => {
    for (const { name, at } of texts) await make(name, rewrittenName(name), () => rewritten(at, remove.value));
  };
  const isChanged = findings.value.some(({ solved }) => solved) || (settings.value.hypertables ?? []).length > 0;
  const main = isChanged ? "main" : "";
  return (
    <div class="take">
      <section aria-labelledby="take-dumps">
        <h3 id="take-dumps">Rewritten dump</h3>
        <p class="quiet">
          {shown.verdict === "needs-work"
            ? `${count(shown.counts.unsolved, "error")} will remain in it: it does not restore without an error yet.`
            : shown.not_judged.length > 0
              ? `No incompatibility is known in it, but not all was judged: ${seen(shown.not_judged.map(({ what }) => what).join("; "))}.`
              : !isChanged
                ? "The rewrite changes nothing in it, and no statement fails."
                : shown.counts.error === 0
                  ? "No statement fails: the changes are for notes and warnings."
                  : "No incompatibility is known in it."}{" "}
          {isChanged && (
            <button type="button" class="link" onClick={() => (tab.value = "rewrite")}>
              See what changes
            </button>
          )}
        </p>
        <div class="buttons">
          {texts.length > 1 && (
            <button type="button" class={main} disabled={!idle} onClick={() => void all()}>
              Download all
            </button>
          )}
          {texts.map(({ name, at }) => (
            <button
              key={name}
              type="button"
              class={texts.length === 1 ? main : ""}
              disabled={!idle}
              data-download={name}
              onClick={() => void make(name, rewrittenName(name), () => rewritten(at, remove.value))}
            >
              Download {seen(rewrittenName(name))}
            </button>
          ))}
        </div>
        {texts.length < inputs.length && (
          <p data-archive>An archive is rewritten on the command line, with its rows, which this page does not read: see below.</p>
        )}
        <label class="check">
          <input type="checkbox" checked={remove.value} onChange={(event) => (remove.value = event.currentTarget.checked)} /> Delete
          statements that are removed; without this they stay as comments
        </label>
        {failure.value && (
          <p role="alert" class="refused">
            {failure.value}
          </p>
        )}
      </section>

      <section aria-labelledby="take-command">
        <h3 id="take-command">The same on the command line</h3>
        {inputs.map((name) => {
          const given = renamed.get(name);
          return (
            given !== undefined && (
              <p key={name}>
                Two files are called <code>{seen(given)}</code>: give the second the name <code>{seen(name)}</code> first.
              </p>
            )
          );
        })}
        <Copyable label="The command that does the same" text={command(asked)} />
        {needsFile(settings.value) && catalogue.value && <Toml text={configuration(settings.value, catalogue.value)} />}
        <p class="quiet">The report alone:</p>
        <Copyable label="The command that prints the report" text={checkCommand(asked)} />
      </section>

      <section aria-labelledby="take-report">
        <h3 id="take-report">Report</h3>
        <div class="buttons">
          {REPORTS.map(([format, title, words]) => (
            <button
              key={format}
              type="button"
              disabled={!idle}
              title={words}
              onClick={() => void make(format, reportName(shown, format), () => written(format))}
            >
              {title}
            </button>
          ))}
        </div>
      </section>

      {shown.scripts.length > 0 && (
        <section aria-labelledby="take-scripts">
          <h3 id="take-scripts">Scripts to run</h3>
          {shown.scripts.map((script) => (
            <ScriptView key={script.file + script.rule} script={script} />
          ))}
        </section>
      )}
    </div>
  );
}

function Toml({ text }: { text: string }) {
  return (
    <>
      <p>
        What no option says (severities of rules, extensions of the target) is said in a file, <code>tsmigrate.toml</code>, beside the
        dump:
      </p>
      <Copyable label="tsmigrate.toml" text={text} />
      <div class="buttons">
        <button type="button" onClick={() => save("tsmigrate.toml", new Blob([text], { type: "application/toml" }))}>
          Download tsmigrate.toml
        </button>
      </div>
    </>
  );
}

/** SQL for a person to run, with what it does and when. */
export function ScriptView({ script }: { script: Script }) {
  const { file, title, sql, rule } = script;
  return (
    <details class="script">
      <summary>
        <code>{file}</code> <span class="quiet">{bytes(new Blob([sql]).size)}</span>
      </summary>
      <p>
        {seen(title)} <span class="quiet">({rule})</span>
      </p>
      <div class="buttons">
        <button type="button" onClick={() => save(file, new Blob([sql], { type: "application/sql" }))}>
          Download {file}
        </button>
      </div>
      <Copyable label={file} text={sql.trimEnd()} />
    </details>
  );
}
