// The page's result as the result view draws it, with all that a person can do there.

import { isChosen, choose, onlySafe } from "../result/choices";
import { decide, decided, keep, verb } from "../result/decided";
import { chosen, dependents, groups, numbers, places, report, rulePage, select, show, shown, tab, visible } from "../result/view";
import { catalogue, findings, outcome, selected, settings, stage } from "../state";
import type { Finding } from "../engine/types";
import type { Model } from "../../view/model";
import { levelChoice, levelsChanged } from "./levels";

/** As it is now: whoever reads it in an effect is called again when that changes. */
export const model: Model = {
  get findings() {
    return findings.value;
  },
  get numbers() {
    return numbers.value;
  },
  get decisions() {
    return report.value?.decisions ?? [];
  },
  get lost() {
    return report.value?.lost ?? [];
  },
  get isOneInput() {
    return outcome.value?.inputs.length === 1;
  },
  get shown() {
    return { ...shown.value, selected: selected.value };
  },
  show,
  get visible() {
    return visible.value;
  },
  get groups() {
    return groups.value;
  },
  get dependents() {
    return dependents.value;
  },
  causeAt: (rule, file, start, line) => places.value.causeAt(rule, file, start, line),
  summaryOf: (id) => catalogue.value?.rules.find((rule) => rule.id === id)?.summary,
  select,
  fixes: {
    isOn: (finding) => chosen.value.isOn(finding),
    set: (members: readonly Finding[], on) => (settings.value = choose(settings.value, findings.value, members, on)),
    get reset() {
      return isChosen(settings.value) ? () => (settings.value = onlySafe(settings.value)) : null;
    },
  },
  deciding: {
    verb,
    decide,
    get isIdle() {
      return stage.value === "checked";
    },
    get over() {
      return decided.value.map((one) => ({ title: one.title, keep: () => keep(one) }));
    },
  },
  // Its rules have pages inside.
  pageOf: () => null,
  openRule: (rule) => (rulePage.value = rule),
  download: () => (tab.value = "take"),
  levelOf: levelChoice,
  levels: levelsChanged,
};
