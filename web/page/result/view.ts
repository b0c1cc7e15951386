// What of the result is shown: filters, groups, what is folded. It outlives a check.

import { batch, computed, signal } from "@preact/signals";
import { type By, type Class, classOf } from "../../view/classes";
import { groupsIn, Places, UNFILTERED, visibleOf } from "../../view/list";
import type { Shown } from "../../view/model";
import { findings, outcome, select as selectFinding, selected, settings } from "../state";
import { candidates } from "./hypertables";
import { Chosen } from "./choices";

/** The parts of the result. */
export const TABS = ["findings", "rewrite", "hypertables", "take"] as const;
export type Tab = (typeof TABS)[number];

/** The rule whose page is shown in the place of the result. */
export const rulePage = signal<string | null>(null);

/** Tables that could be hypertables, or that were asked to be. */
export const hypertableNumber = computed(
  () =>
    new Set([
      ...candidates(findings.value).map(({ table }) => table),
      ...(settings.value.hypertables ?? []).map((word) => word.slice(0, word.lastIndexOf(":"))),
    ]).size,
);

const wanted = signal<Tab>("findings");
/** The part of the result that is shown: a part that has nothing to show any more gives way to the findings. */
export const tab = {
  get value(): Tab {
    return wanted.value === "hypertables" && hypertableNumber.value === 0 ? "findings" : wanted.value;
  },
  set value(name: Tab) {
    wanted.value = name;
  },
};

/** What is shown of the findings, but which of them is selected. */
export const shown = signal<Omit<Shown, "selected">>(UNFILTERED);

/** Changes what is shown. */
export function show({ selected: at, ...changes }: Partial<Shown>): void {
  batch(() => {
    if (at !== undefined) selected.value = at;
    if (Object.keys(changes).length > 0) shown.value = { ...shown.peek(), ...changes };
  });
}

const hidden = computed<ReadonlySet<Class>>(() => shown.value.hidden);
const words = computed<readonly string[]>(() => shown.value.words);
const by = computed<By>(() => shown.value.by);

export const report = computed(() => outcome.value?.result.report ?? null);
export const chosen = computed(() => new Chosen(settings.value));

/** How many findings there are of each class: more than a page holds, perhaps. */
export const numbers = computed<Record<Class, number>>(() => {
  const { unsolved = 0, solved = 0, warning = 0, note = 0, allowed = 0 } = report.value?.counts ?? {};
  return { open: unsolved, solved, warning, note, allowed };
});

/** How many there are in all. */
export const total = computed(() => Object.values(numbers.value).reduce((sum, number) => sum + number, 0));

/** The numbers of the findings that filters let through. */
export const visible = computed(() => visibleOf(findings.value, hidden.value, words.value));
export const groups = computed(() => groupsIn(findings.value, visible.value, by.value));

/** Where causes are looked up, and what depends on them. */
export const places = computed(() => new Places(findings.value));
export const dependents = computed(() => places.value.dependents(findings.value));

/** Shows a finding in the list, whatever filters and folds say, and its place. */
export function select(at: number): void {
  const finding = findings.value[at];
  if (!finding) return;
  rulePage.value = null;
  tab.value = "findings";
  if (!visible.value.includes(at)) {
    show({ search: "", words: [], hidden: new Set([...shown.value.hidden].filter((name) => name !== classOf(finding))) });
  }
  selectFinding(at);
}

/** Shows the findings that words are found in. */
export function find(search: string): void {
  batch(() => {
    rulePage.value = null;
    tab.value = "findings";
    show({ search, words: search.toLowerCase().split(/\s+/).filter(Boolean), hidden: new Set() });
  });
}
