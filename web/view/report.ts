// The result view in a report: what stands in the page as JSON is drawn into its parts. Nothing is loaded or sent.

import { type Class, type Finding, type Group } from "./classes";
import { copyButton } from "./controls";
import { decisions, losses } from "./decisions";
import { draw, type Child } from "./dom";
import { findings } from "./findings";
import { GROUPS, groupsIn, Places, reveal, visibleOf } from "./list";
import type { Model, Shown } from "./model";
import type { Counts, Decision } from "./schema";

/** What all findings of a rule have in common. */
interface RuleWords {
  name: string;
  summary: string;
  why: string;
  help: string;
  docs: string;
}

/** What a report has of a finding: what is not there is nothing, or what its rule says. */
type Given = Partial<Finding> & Pick<Finding, "rule" | "severity" | "message" | "file" | "line">;

/** What stands in the page: a check's report, or what a migration's has in common with it. */
interface Data {
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
class Shower implements Model {
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
  shown: Shown = {
    search: "",
    words: [],
    by: "rule",
    hidden: new Set(),
    folds: new Map(),
    most: GROUPS,
    windows: new Map(),
    selected: null,
    isWhole: false,
    all: new Set(),
  };
  visible: readonly number[] = [];
  groups: readonly Group[] = [];

  constructor(
    data: Data,
    readonly redraw: () => void,
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

  readonly summaryOf = (rule: string): string | undefined => this.#rules[rule]?.summary;

  readonly select = (at: number): void => {
    const finding = this.findings[at];
    if (!finding) return;
    const isHidden = !this.visible.includes(at);
    this.show({ selected: at, ...(isHidden ? { search: "", words: [], hidden: new Set<Class>() } : {}) });
    reveal(this, at);
    document.getElementById(`finding-${at}`)?.scrollIntoView({ block: "nearest" });
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

/** Findings that are drawn for paper. */
const ON_PAPER = 1000;

function start(data: Data): void {
  const parts: [string, () => Child][] = [
    ["decisions", () => decisions(model)],
    ["lost", () => losses(model)],
    ["findings", () => findings(model)],
  ];
  const redraw = (): void => {
    for (const [name, of] of parts) {
      const box = document.getElementById(`view-${name}`);
      if (box) draw(box, [of()]);
    }
  };
  const model = new Shower(data, redraw);
  redraw();
  for (const block of document.querySelectorAll(".copyable")) {
    const text = block.querySelector("pre")?.textContent;
    if (text) block.append(copyButton(text, "these lines"));
  }
  // A link to a rule opens its findings.
  const follow = (): void => {
    // An id has nothing that an address would say otherwise.
    model.openRuleGroup(location.hash.slice(1));
  };
  addEventListener("hashchange", follow);
  follow();
  let before = model.shown;
  let closed: HTMLDetailsElement[] = [];
  addEventListener("beforeprint", () => {
    before = model.shown;
    closed = [...document.querySelectorAll<HTMLDetailsElement>("details:not([open])")];
    for (const details of closed) details.open = true;
    const open = new Map(model.groups.map(({ key }) => [key, true]));
    const windows = new Map(model.groups.map(({ key }) => [key, { from: 0, until: ON_PAPER }]));
    model.show({ isWhole: true, folds: open, windows, all: new Set(["decisions", "lost"]) });
  });
  addEventListener("afterprint", () => {
    for (const details of closed) details.open = false;
    model.show(before);
  });
}

const data = document.getElementById("data")?.textContent;
if (data) start(JSON.parse(data) as Data);

