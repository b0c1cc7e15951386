import { decisions, losses } from "../../view/decisions";
import { make, type Child } from "../../view/dom";
import { checked, verdict } from "../../view/verdict";
import { seen, thousands } from "../../view/words";
import { report, tab } from "../result/view";
import { databases } from "../result/databases";
import { outcome, phase, settings, stage } from "../state";
import { Drawn } from "./drawn";
import { model } from "./model";

/** The answer, what a person has to decide, what it costs, what was looked at. */
export function Verdict() {
  const kind = report.value?.verdict;
  return (
    <div class={`verdict ${kind ?? ""}`} data-verdict={kind}>
      <Drawn of={drawn} />
    </div>
  );
}

function drawn(): Child {
  const now = report.value;
  const words = outcome.value?.result.words;
  if (!now || !words) return null;
  return [
    verdict(words),
    before(),
    tab.value === "findings" && [
      decisions(model),
      now.verdict === "ready-after-rewrite" && ways(),
      databases(now.databases, now.keep_all_databases, {
        settings: settings.value,
        names: now.inputs.map(({ name }) => name),
        isIdle: stage.value === "checked",
        keep: (database) => (settings.value = { ...settings.value, database }),
      }),
      losses(model),
      checked(words),
    ],
  ];
}

/** What comes next where nothing is left to decide. */
const ways = (): HTMLElement =>
  make(
    "p",
    { class: "buttons" },
    make("button", { type: "button", class: "main", onclick: () => (tab.value = "take") }, "Download the rewritten dump …"),
    make("button", { type: "button", onclick: () => (tab.value = "rewrite") }, "See what changes"),
  );

/** That the result is not of the text as it stands, and why. */
function before(): Child {
  const now = phase.value;
  if (now.kind === "unfinished") {
    const words = `Line ${thousands(now.at.line)} of ${seen(now.at.name)} is unfinished. This is the result before it.`;
    return make("p", { class: "before", role: "status" }, words);
  }
  return now.kind === "refused" && make("p", { class: "before" }, "This is the result before the last edit.");
}
