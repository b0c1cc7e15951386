// A result that is as it is: only what is shown of it changes.

import { type Class, type Finding, type Group } from "./classes";
import type { Child } from "./dom";
import { groupsIn, Places, reveal, UNFILTERED, visibleOf } from "./list";
import type { Model, Shown } from "./model";
import type { Counts, Decision } from "./schema";

/** What all findings of a rule have in common. */
export interface RuleWords {
  name: string;
  summary: string;
  why: string;
  help: string;
  docs: string;
  /** The rule's own page, where the documentation is published. */
  page?: string;
}

/** What a report has of a finding: what is not there is nothing, or what its rule says. */
type Given = Partial<Finding> & Pick<Finding, "rule" | "severity" | "message" | "file" | "line">;

/** What stands in the page: a check's report, or what a migration's has in common with it. */
export interface Data {
  rules: Record<string, RuleWords>;
  findings: Given[];
  decisions: Decision[];
  lost: string[];
  counts: Pick<Counts, "solved" | "unsolved" | "warning" | "note" | "allowed">;
}

const NONE = {
  own_severity: null,
  allowed: null,
  object: null,
  statement: 0,
  span: { start: 0, end: 0 },
  column: 0,
  server_error: null,
  related: [],
  solved: false,
  accepted: false,
  left: false,
  risk: false,
  decision: null,
  fix: null,
  excerpt: { line: 0, text: "", start: 0, end: 0 },
};

/** The result of a report: it is as it is, and only what is shown of it changes. */
export class Shower implements Model {
  readonly findings: readonly Finding[];
  readonly decisions: readonly Decision[];
  readonly lost: readonly string[];
  readonly numbers: Record<Class, number>;
  readonly isOneInput: boolean;
  readonly fixes = null;
  readonly deciding = null;
  readonly openRule = null;
  readonly download = null;
  readonly dependents: ReadonlyMap<number, readonly number[]>;
  readonly #places: Places;
  readonly #rules: Data["rules"];
  shown: Shown = { ...UNFILTERED, selected: null };
  visible: readonly number[] = [];
  groups: readonly Group[] = [];

  constructor(
    data: Data,
    readonly redraw: () => void,
    /** Where it is drawn. */
    private readonly root: Document | ShadowRoot = document,
  ) {
    const { counts } = data;
    this.#rules = data.rules;
    this.findings = data.findings.map((given) => {
      const { name = "", why = "", help = "", docs = "" } = data.rules[given.rule] ?? {};
      return { ...NONE, name, why, help, docs, ...given };
    });
    this.decisions = data.decisions;
    this.lost = data.lost;
    this.numbers = { open: counts.unsolved, solved: counts.solved, warning: counts.warning, note: counts.note, allowed: counts.allowed };
    this.isOneInput = new Set(this.findings.map(({ file }) => file)).size === 1;
    this.#places = new Places(this.findings);
    this.dependents = this.#places.dependents(this.findings);
    this.#find();
  }

  #find(): void {
    const { hidden, words, by } = this.shown;
    this.visible = visibleOf(this.findings, hidden, words);
    this.groups = groupsIn(this.findings, this.visible, by);
  }

  readonly show = (changes: Partial<Shown>): void => {
    this.shown = { ...this.shown, ...changes };
    if (changes.hidden ?? changes.words ?? changes.by) this.#find();
    this.redraw();
  };

  readonly causeAt: Model["causeAt"] = (...place) => this.#places.causeAt(...place);

  readonly pageOf = (rule: string): string | null => this.#rules[rule]?.page ?? null;

  readonly summaryOf = (rule: string): string | undefined => this.#rules[rule]?.summary;

  select = (at: number): void => {
    const finding = this.findings[at];
    if (!finding) return;
    const isHidden = !this.visible.includes(at);
    this.show({ selected: at, ...(isHidden ? { search: "", words: [], hidden: new Set<Class>() } : {}) });
    reveal(this, at);
    this.root.getElementById(`finding-${at}`)?.scrollIntoView({ block: "nearest" });
  };

  /** Shows the findings of a rule, the worst first. */
  openRuleGroup(rule: string): void {
    if (!Object.hasOwn(this.#rules, rule)) return;
    this.show({ by: "rule", hidden: new Set(), search: "", words: [] });
    const first = this.groups.find((group) => group.rule === rule);
    const at = first?.members[0];
    if (at !== undefined) this.select(at);
  }

  levelOf(): Child {
    return null;
  }

  levels(): Child {
    return null;
  }
}
