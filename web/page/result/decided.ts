// What was decided in this page: it stays in sight, with a way back.

import { computed, signal } from "@preact/signals";
import { findings, settings } from "../state";
import type { Decision, Finding } from "../engine/types";
import { choiceOf } from "../../view/classes";
import { taken } from "../../view/decisions";
import { choose, leaveKey } from "./choices";
import { chosen } from "./view";

interface Decided {
  title: string;
  /** The places of the findings that were decided. */
  keys: ReadonlySet<string>;
}

const all = signal<readonly Decided[]>([]);

const members = (keys: ReadonlySet<string>): Finding[] => findings.value.filter((finding) => keys.has(leaveKey(finding)));

/** What was decided, and still is so. */
export const decided = computed(() => all.value.filter(({ keys }) => members(keys).some((finding) => chosen.value.isOn(finding))));

/** The findings of a decision that a fix could be switched on for. */
const open = ({ number }: Decision): Finding[] =>
  findings.value.filter((finding) => finding.decision === number && choiceOf(finding) !== "none" && !chosen.value.isOn(finding));

/** The word of the button that takes a decision; null where the page can do nothing. */
export function verb(decision: Decision): "Leave out" | "Accept" | "Apply the fix" | null {
  const choice = taken(decision);
  if (choice) return choice.what.startsWith("Leave ") ? "Leave out" : "Accept";
  return open(decision).length > 0 ? "Apply the fix" : null;
}

/** Takes a decision: its statements are left out, or changed with a loss. */
export function decide(decision: Decision): void {
  const own = open(decision);
  const { title } = decision;
  all.value = [...all.value.filter((other) => other.title !== title), { title, keys: new Set(own.map(leaveKey)) }];
  settings.value = choose(settings.value, findings.value, own, true);
}

/** Takes a decision back: its statements are kept as they are. */
export function keep({ keys }: Decided): void {
  settings.value = choose(settings.value, findings.value, members(keys), false);
}
