// Which findings are shown, in which groups, and what belongs together.

import { classOf, groupsOf, matches, type By, type Class, type Finding, type Group } from "./classes";
import type { Model, Shown } from "./model";

/** Groups that are drawn at once, and findings of one group. */
export const GROUPS = 100;
export const STEP = 25;

/** What is shown of findings before anybody has chosen. */
export const UNFILTERED: Omit<Shown, "selected"> = {
  search: "",
  words: [],
  by: "rule",
  hidden: new Set(),
  folds: new Map(),
  most: GROUPS,
  windows: new Map(),
  isWhole: false,
  all: new Set(),
};

/** So few findings are all shown at once. */
const FEW = 12;

/** The numbers of the findings that filters let through. */
export function visibleOf(findings: readonly Finding[], hidden: ReadonlySet<Class>, words: readonly string[]): number[] {
  const visible: number[] = [];
  findings.forEach((finding, at) => {
    if (!hidden.has(classOf(finding)) && matches(finding, words)) visible.push(at);
  });
  return visible;
}

/** Findings by rule, line and input: where causes are looked up. */
export class Places {
  readonly #places = new Map<string, number>();
  readonly #lines = new Map<string, number>();

  constructor(findings: readonly Finding[]) {
    findings.forEach(({ rule, file, span, line }, at) => {
      this.#places.set(`${rule} ${file} ${span.start}`, at);
      const key = `${rule} ${file} ${line}`;
      if (!this.#lines.has(key)) this.#lines.set(key, at);
    });
  }

  /** The finding that another names as its cause. */
  causeAt(rule: string | null, file: string, start: number, line: number): number | null {
    if (!rule) return null;
    return this.#places.get(`${rule} ${file} ${start}`) ?? this.#lines.get(`${rule} ${file} ${line}`) ?? null;
  }

  /** Findings that name each as their cause. */
  dependents(findings: readonly Finding[]): Map<number, number[]> {
    const found = new Map<number, number[]>();
    findings.forEach((finding, at) => {
      for (const { rule, file, span, line } of finding.related) {
        const cause = this.causeAt(rule, file, span.start, line);
        if (cause === null || cause === at) continue;
        const list = found.get(cause);
        if (list) list.push(at);
        else found.set(cause, [at]);
      }
    });
    return found;
  }
}

export const groupsIn = (findings: readonly Finding[], visible: readonly number[], by: By): Group[] => groupsOf(findings, visible, by);

/** Open from the start: little, or what needs work. */
export function isOpen({ shown, visible, groups, numbers }: Pick<Model, "shown" | "visible" | "groups" | "numbers">, key: string, at: number): boolean {
  const own = shown.folds.get(key);
  if (own !== undefined) return own;
  const total = visible.length;
  return total <= FEW || groups.length === 1 || (shown.words.length > 0 && total <= 50) || (at === 0 && numbers.open > 0);
}

/** The part of a group that is drawn. */
export const windowOf = (model: Pick<Model, "shown">, key: string): { from: number; until: number } =>
  model.shown.windows.get(key) ?? { from: 0, until: STEP };

/** Brings a finding into what is drawn: its group, and the part of it. */
export function reveal(model: Model, finding: number): void {
  const { groups, shown } = model;
  const at = groups.findIndex((group) => group.members.includes(finding));
  const group = groups[at];
  if (!group) return;
  const index = group.members.indexOf(finding);
  const { from, until } = windowOf(model, group.key);
  const changes: Parameters<Model["show"]>[0] = {};
  if (!isOpen(model, group.key, at)) changes.folds = new Map(shown.folds).set(group.key, true);
  if (at >= shown.most) changes.most = at + 1;
  if (index < from || index >= until) {
    const start = Math.floor(index / STEP) * STEP;
    changes.windows = new Map(shown.windows).set(group.key, { from: start, until: start + STEP });
  }
  if (Object.keys(changes).length > 0) model.show(changes);
}
