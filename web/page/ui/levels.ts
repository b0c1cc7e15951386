// What rules count as: a choice for each rule, and the rules that count as something else, each with a way back.

import { make, type Child } from "../../view/dom";
import { seen } from "../../view/words";
import { LEVELS, levelOf, withLevel } from "../result/levels";
import { catalogue, settings, settingsRefused } from "../state";

/** Counts a rule as something else, or as it says itself. */
function set(rule: string, level: string | null): void {
  settingsRefused.value = null;
  settings.value = withLevel(settings.value, rule, level);
}

/** Chooses what the findings of a rule count as. */
export function levelChoice(rule: string): Child {
  const own = catalogue.value?.rules.find(({ id }) => id === rule)?.severity;
  const choose = ({ currentTarget }: Event): void => {
    const { value } = currentTarget as HTMLSelectElement;
    set(rule, value === "" ? null : value);
  };
  return make(
    "select",
    { "aria-label": `${rule} counts as`, value: levelOf(settings.value, rule) ?? "", onchange: choose },
    make("option", { value: "" }, "as the rule says", own && `: ${own}`),
    LEVELS.filter((level) => level !== own).map((level) => make("option", { value: level }, level)),
  );
}

/** The rules that count as something else: what is off is seen nowhere else. */
export function levelsChanged(): Child {
  const { levels = [] } = settings.value;
  return [
    settingsRefused.value && make("p", { role: "alert", class: "refused" }, seen(settingsRefused.value)),
    levels.length > 0 &&
      make(
        "div",
        { class: "chips levels", role: "group", "aria-label": "Severities changed" },
        levels.map(([rule, level]) =>
          make(
            "button",
            { type: "button", class: "chip", "aria-label": `Let ${rule} count as it says itself`, onclick: () => set(rule, null) },
            `${rule}: ${level} ×`,
          ),
        ),
      ),
  ];
}
