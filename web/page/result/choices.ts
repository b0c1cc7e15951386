// Which fixes are on: what the person accepts and leaves, as `--accept` and `--leave` say it.
//
// A safe fix is on unless it is left. One that loses something is on where its rule, or that of its cause, is accepted,
// and unless it is left.

import type { Finding, Settings } from "../engine/report";
import { choiceOf, toAccept } from "../../view/classes";

/** The place of a finding as `--leave` names it. */
export const leaveKey = ({ rule, file, line }: { rule: string; file: string; line: number }): string => `${rule}@${file}:${line}`;

/** What the settings choose, ready to be asked. */
export class Chosen {
  readonly #accept: ReadonlySet<string>;
  readonly #leave: ReadonlySet<string>;

  constructor({ accept = [], leave = [] }: Settings) {
    this.#accept = new Set(accept);
    this.#leave = new Set(leave);
  }

  isLeft(finding: Finding): boolean {
    return this.#leave.has(finding.rule) || this.#leave.has(leaveKey(finding));
  }

  isAccepted(finding: Finding): boolean {
    return this.#accept.has(finding.rule) || toAccept(finding).some((rule) => this.#accept.has(rule));
  }

  /** True where the fix is to be applied. */
  isOn(finding: Finding): boolean {
    const choice = choiceOf(finding);
    return choice !== "none" && !this.isLeft(finding) && (choice === "safe" || this.isAccepted(finding));
  }
}

/** The causes of a finding by their places, or itself: what is lost with one of them is lost together. */
const roots = (finding: Finding): Set<string> => {
  const causes = finding.related.flatMap(({ rule, file, line }) => (rule ? [leaveKey({ rule, file, line })] : []));
  return new Set(causes.length > 0 ? causes : [leaveKey(finding)]);
};

/** The settings with these findings' fixes on or off. */
export function choose(settings: Settings, all: readonly Finding[], members: readonly Finding[], on: boolean): Settings {
  const accept = new Set(settings.accept);
  const leave = new Set(settings.leave);
  const keys = new Set(members.map(leaveKey));
  const rules = new Set(members.map((member) => member.rule));
  const choosable = all.filter((finding) => choiceOf(finding) !== "none");
  const before = new Chosen(settings);
  // A rule that is left as a whole is told place by place from here on.
  for (const rule of rules) {
    if (!leave.delete(rule)) continue;
    for (const other of choosable) if (other.rule === rule) leave.add(leaveKey(other));
  }
  if (on) {
    for (const key of keys) leave.delete(key);
    const review = members.filter((member) => choiceOf(member) === "review" && !before.isAccepted(member));
    const added = new Set(review.flatMap(toAccept));
    const together = new Set(review.flatMap((member) => [...roots(member)]));
    for (const rule of added) accept.add(rule);
    // What the same rules would lose elsewhere stays as it is.
    for (const other of choosable) {
      if (keys.has(leaveKey(other)) || choiceOf(other) !== "review" || before.isOn(other)) continue;
      if (!toAccept(other).some((rule) => added.has(rule)) || before.isAccepted(other)) continue;
      const isPart = [...roots(other)].some((root) => together.has(root));
      if (!isPart) leave.add(leaveKey(other));
    }
  } else {
    for (const key of keys) leave.add(key);
  }
  return tidy({ ...settings, accept: [...accept].sort(), leave: [...leave].sort() }, choosable);
}

/** Says the same shorter: a rule of which nothing is on is not accepted, and what is off by itself needs no word. */
function tidy(settings: Settings, choosable: readonly Finding[]): Settings {
  const accept = new Set(settings.accept);
  const leave = new Set(settings.leave);
  for (const rule of [...accept]) {
    const own = choosable.filter((finding) => choiceOf(finding) === "review" && toAccept(finding).includes(rule));
    if (own.length > 0 && own.every((finding) => leave.has(finding.rule) || leave.has(leaveKey(finding)))) accept.delete(rule);
  }
  const chosen = new Chosen({ accept: [...accept] });
  const known = new Map<string, boolean>();
  for (const finding of choosable) {
    const key = leaveKey(finding);
    const would = choiceOf(finding) === "safe" || chosen.isAccepted(finding);
    known.set(key, would || known.get(key) === true);
  }
  for (const [key, isNeeded] of known) if (!isNeeded) leave.delete(key);
  // A rule of which every place is left is left as a whole.
  const byRule = new Map<string, Set<string>>();
  for (const finding of choosable) {
    const key = leaveKey(finding);
    if (!known.get(key)) continue;
    byRule.set(finding.rule, (byRule.get(finding.rule) ?? new Set()).add(key));
  }
  for (const [rule, places] of byRule) {
    if (places.size < 2 || ![...places].every((key) => leave.has(key))) continue;
    for (const key of places) leave.delete(key);
    leave.add(rule);
  }
  return { ...settings, accept: [...accept].sort(), leave: [...leave].sort() };
}

/** True where something is chosen that is not so from the start. */
export const isChosen = ({ accept = [], leave = [] }: Settings): boolean => accept.length + leave.length > 0;

/** The settings with every safe fix on, and no other. */
export const onlySafe = (settings: Settings): Settings => ({ ...settings, accept: [], leave: [] });
