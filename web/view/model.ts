// What the result view draws, and what a person can do there. The page and the reports each make one.

import type { By, Class, Finding, Group } from "./classes";
import type { Child } from "./dom";
import type { Decision } from "./schema";

/** What is shown of the findings. */
export interface Shown {
  /** What stands in the search field, and the words that are searched for. */
  search: string;
  words: readonly string[];
  by: By;
  /** Classes that are not shown. */
  hidden: ReadonlySet<Class>;
  /** Groups that were opened or closed by hand. */
  folds: ReadonlyMap<string, boolean>;
  /** Groups that are drawn. */
  most: number;
  /** Findings that are drawn of groups that show others than their first. */
  windows: ReadonlyMap<string, { from: number; until: number }>;
  /** The selected finding: its number. */
  selected: number | null;
  /** Every finding in full, for paper. */
  isWhole: boolean;
  /** Lists that were opened: of decisions, of losses. */
  all: ReadonlySet<"decisions" | "lost">;
}

/** Switches of fixes, where the person chooses. */
export interface Fixes {
  isOn(finding: Finding): boolean;
  set(members: readonly Finding[], on: boolean): void;
  /** Takes every choice back; null where nothing is chosen. */
  reset: (() => void) | null;
}

/** Decisions that can be taken where they are shown. */
export interface Deciding {
  /** The word of the button; null where nothing can be done here. */
  verb(decision: Decision): string | null;
  decide(decision: Decision): void;
  /** True where the result is of the present choices. */
  isIdle: boolean;
  /** What was decided, with a way back. */
  over: readonly { title: string; keep: () => void }[];
}

export interface Model {
  findings: readonly Finding[];
  /** How many there are of each class: more than a page holds, perhaps. */
  numbers: Record<Class, number>;
  decisions: readonly Decision[];
  lost: readonly string[];
  /** True where all findings are of one input. */
  isOneInput: boolean;
  shown: Shown;
  /** Changes what is shown, and draws it. */
  show(changes: Partial<Shown>): void;
  /** Numbers of the findings that filters let through, and these in groups. */
  visible: readonly number[];
  groups: readonly Group[];
  /** Findings that name a finding as their cause. */
  dependents: ReadonlyMap<number, readonly number[]>;
  /** The finding that another names as its cause. */
  causeAt(rule: string | null, file: string, start: number, line: number): number | null;
  summaryOf(rule: string): string | undefined;
  /** Selects a finding and shows its place. */
  select(at: number): void;
  fixes: Fixes | null;
  deciding: Deciding | null;
  /** The address of a rule's page in the published documentation, where it is known. */
  pageOf(rule: string): string | null;
  /** A way to a rule's own page. */
  openRule: ((rule: string) => void) | null;
  /** A way to all reports. */
  download: (() => void) | null;
  /** Chooses what a rule counts as, and says which rules count as something else. */
  levelOf(rule: string): Child;
  levels(): Child;
}
