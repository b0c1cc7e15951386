import { hypertableNumber, numbers, tab, type Tab } from "../result/view";
import { thousands } from "../../view/words";

/** The parts of the result. */
export function Tabs() {
  const total = Object.values(numbers.value).reduce((sum, number) => sum + number, 0);
  const tables = hypertableNumber.value;
  const tabs: { name: Tab; title: string; number?: number }[] = [
    { name: "findings", title: "Findings", number: total },
    { name: "rewrite", title: "Rewrite" },
    ...(tables > 0 ? [{ name: "hypertables" as const, title: "Hypertables", number: tables }] : []),
    { name: "take", title: "Download" },
  ];
  const move = (event: KeyboardEvent): void => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const at = tabs.findIndex(({ name }) => name === tab.value);
    const next = tabs[(at + step + tabs.length) % tabs.length];
    if (!next) return;
    tab.value = next.name;
    document.getElementById(`tab-${next.name}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label="Parts of the result" onKeyDown={move}>
      {tabs.map(({ name, title, number }) => (
        <button
          key={name}
          type="button"
          role="tab"
          id={`tab-${name}`}
          aria-selected={tab.value === name}
          aria-controls={tab.value === name ? `panel-${name}` : undefined}
          tabIndex={tab.value === name ? 0 : -1}
          onClick={() => (tab.value = name)}
        >
          {title}
          {number !== undefined && <span class="number">{thousands(number)}</span>}
        </button>
      ))}
    </div>
  );
}
