import { catalogue, settings, settingsRefused } from "../state";
import { LEVELS, levelOf, withLevel } from "../result/levels";
import { seen } from "../result/words";

/** Counts a rule as something else, or as it says itself. */
function set(rule: string, level: string | null): void {
  settingsRefused.value = null;
  settings.value = withLevel(settings.value, rule, level);
}

/** Chooses what the findings of a rule count as. */
export function LevelOf({ rule }: { rule: string }) {
  const own = catalogue.value?.rules.find(({ id }) => id === rule)?.severity;
  return (
    <select
      aria-label={`${rule} counts as`}
      value={levelOf(settings.value, rule) ?? ""}
      onChange={(event) => set(rule, event.currentTarget.value === "" ? null : event.currentTarget.value)}
    >
      <option value="">as the rule says{own && `: ${own}`}</option>
      {LEVELS.filter((level) => level !== own).map((level) => (
        <option key={level} value={level}>
          {level}
        </option>
      ))}
    </select>
  );
}

/** The rules that count as something else, each with a way back: what is off is seen nowhere else. */
export function Levels() {
  const { levels = [] } = settings.value;
  return (
    <>
      {settingsRefused.value && (
        <p role="alert" class="refused">
          {seen(settingsRefused.value)}
        </p>
      )}
      {levels.length > 0 && (
        <div class="chips levels" role="group" aria-label="Severities changed">
          {levels.map(([rule, level]) => (
            <button key={rule} type="button" class="chip" aria-label={`Let ${rule} count as it says itself`} onClick={() => set(rule, null)}>
              {rule}: {level} ×
            </button>
          ))}
        </div>
      )}
    </>
  );
}
