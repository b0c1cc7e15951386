import { outcome, phase, stage } from "../state";
import { report, rulePage, tab, type Tab } from "../result/view";
import { seen, thousands } from "../../view/words";
import { Findings } from "./findings";
import { Make } from "./first";
import { Hypertables } from "./hypertables";
import { Rewrite } from "./rewrite";
import { RulePage } from "./rule";
import { Take } from "./take";
import { Tabs } from "./tabs";
import { Verdict } from "./verdict";
import "../../view/style/controls.css";
import "../../view/style/verdict.css";
import "../../view/style/findings.css";
import "./result.css";
import "./rewrite.css";

/** The verdict and the findings, or the page of a rule; before there is a dump, how to create one. */
export function ResultPane({ isFirst }: { isFirst: boolean }) {
  const shown = report.value;
  const kind = phase.value.kind;
  const now = stage.value;
  const rule = rulePage.value;
  const isPast = kind === "checking" || kind === "refused";
  return (
    <section
      class="result"
      aria-label={isFirst ? "How to create a dump" : "Result"}
      data-phase={now}
      aria-busy={now === "checking" || now === "reading" || now === "due"}
    >
      {isFirst ? (
        <Make />
      ) : rule !== null ? (
        <RulePage id={rule} />
      ) : shown && outcome.value ? (
        <div class={isPast ? "stale" : undefined}>
          <Verdict />
          <Tabs />
          <div role="tabpanel" id={`panel-${tab.value}`} aria-labelledby={`tab-${tab.value}`}>
            <Panel name={tab.value} />
          </div>
        </div>
      ) : (
        <Nothing />
      )}
    </section>
  );
}

function Panel({ name }: { name: Tab }) {
  switch (name) {
    case "findings":
      return <Findings />;
    case "rewrite":
      return <Rewrite />;
    case "hypertables":
      return <Hypertables />;
    case "take":
      return <Take />;
  }
}

/** What stands there where there is no result. */
function Nothing() {
  const now = phase.value;
  const { kind } = now;
  if (kind === "unfinished") {
    const words = `Line ${thousands(now.at.line)} of ${seen(now.at.name)} is unfinished: the result comes with the end of its statement.`;
    return (
      <p class="nothing quiet" role="status">
        {words}
      </p>
    );
  }
  if (kind === "refused" || kind === "crashed") return <p class="nothing quiet">There is no result: the reason stands beside the dump.</p>;
  if (kind === "cancelled") return <p class="nothing quiet">The check was cancelled.</p>;
  return <p class="nothing quiet">Checking …</p>;
}
