// What of the result is shown: filters, groups, what is folded. It outlives a check.

import { computed, signal } from "@preact/signals";
import { findings, outcome, select as selectFinding, settings } from "../state";
import { CLASSES, type By, type Class, classOf, groupsOf, matches } from "./classes";
import { candidates } from "./hypertables";
import { Chosen } from "./choices";

export type Tab = "findings" | "rewrite" | "hypertables" | "take";

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
export const by = signal<By>("rule");
export const hidden = signal<ReadonlySet<Class>>(new Set());
export const words = signal<readonly string[]>([]);

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
export const shownFindings = computed(() => {
  const all = findings.value;
  const shown: number[] = [];
  all.forEach((finding, at) => {
    if (!hidden.value.has(classOf(finding)) && matches(finding, words.value)) shown.push(at);
  });
  return shown;
});

export const groups = computed(() => groupsOf(findings.value, shownFindings.value, by.value));

/** Every finding of a rule that the report has: whose whys are told once. */
export const firstOfRule = computed(() => {
  const first = new Map<string, number>();
  findings.value.forEach((finding, at) => {
    if (!first.has(finding.rule)) first.set(finding.rule, at);
  });
  return first;
});

/** Findings by rule, line and input: where causes and dependents are looked up. */
const byPlace = computed(() => {
  const places = new Map<string, number>();
  findings.value.forEach(({ rule, file, span }, at) => places.set(`${rule} ${file} ${span.start}`, at));
  const lines = new Map<string, number>();
  findings.value.forEach(({ rule, file, line }, at) => {
    const key = `${rule} ${file} ${line}`;
    if (!lines.has(key)) lines.set(key, at);
  });
  return { places, lines };
});

/** The finding that another names as its cause. */
export function causeAt(rule: string | null, file: string, start: number, line: number): number | null {
  if (!rule) return null;
  const { places, lines } = byPlace.value;
  return places.get(`${rule} ${file} ${start}`) ?? lines.get(`${rule} ${file} ${line}`) ?? null;
}

/** Findings that name this one as their cause. */
export const dependents = computed(() => {
  const found = new Map<number, number[]>();
  findings.value.forEach((finding, at) => {
    for (const { rule, file, span, line } of finding.related) {
      const cause = causeAt(rule, file, span.start, line);
      if (cause === null || cause === at) continue;
      const list = found.get(cause);
      if (list) list.push(at);
      else found.set(cause, [at]);
    }
  });
  return found;
});

/** Shows a finding in the list, whatever filters and folds say, and its place. */
export function select(at: number): void {
  const finding = findings.value[at];
  if (!finding) return;
  tab.value = "findings";
  if (!shownFindings.value.includes(at)) {
    words.value = [];
    search.value = "";
    hidden.value = new Set([...hidden.value].filter((name) => name !== classOf(finding)));
  }
  selectFinding(at);
}

/** What stands in the search field. */
export const search = signal("");

/** Groups that were opened or closed by hand. */
export const folds = signal<ReadonlyMap<string, boolean>>(new Map());

/** So few findings are all shown at once. */
const FEW = 12;

/** Open from the start: little, or what needs work. */
export function isOpen(key: string, at: number): boolean {
  const own = folds.value.get(key);
  if (own !== undefined) return own;
  const total = shownFindings.value.length;
  return total <= FEW || groups.value.length === 1 || (words.value.length > 0 && total <= 50) || (at === 0 && numbers.value.open > 0);
}

export function fold(key: string, open: boolean): void {
  folds.value = new Map(folds.value).set(key, open);
}

export const allClasses = CLASSES;
