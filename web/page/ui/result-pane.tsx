import { outcome, phase, stage } from "../state";
import { report, tab, type Tab } from "../result/view";
import { Findings } from "./findings";
import { Hypertables } from "./hypertables";
import { Rewrite } from "./rewrite";
import { Take } from "./take";
import { Tabs } from "./tabs";
import { Verdict } from "./verdict";
import "./result.css";

/** The verdict and the findings. */
export function ResultPane() {
  const shown = report.value;
  const kind = phase.value.kind;
  const now = stage.value;
  return (
    <section class="result" aria-label="Result" data-phase={now} aria-busy={now === "checking" || now === "reading" || now === "due"}>
      {shown && outcome.value ? (
        <div class={kind === "checking" ? "stale" : undefined}>
          <Verdict report={shown} />
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

/** What stands there before there is a result. */
function Nothing() {
  const kind = phase.value.kind;
  if (kind === "refused" || kind === "crashed") return <p class="nothing quiet">There is no result: the reason stands beside the dump.</p>;
  if (kind === "cancelled") return <p class="nothing quiet">The check was cancelled.</p>;
  if (kind === "checking") return <p class="nothing quiet">Checking …</p>;
  return (
    <div class="nothing">
      <h2>What you will see here</h2>
      <ul>
        <li>Whether a managed Timescale service takes your dump as it is, after a rewrite, or only after work by hand.</li>
        <li>Every statement that would fail: the server’s own error, why, and what to do.</li>
        <li>The dump rewritten so that it restores, as a diff and to download. Each fix can be switched off.</li>
        <li>What the service will not have afterwards, in words.</li>
      </ul>
    </div>
  );
}
