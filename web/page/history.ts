// Where in the page somebody is, in the fragment of its address: the part of the result, a finding's number, a rule. Back
// works, and "#rule=TSP-03" can be sent to somebody else. Nothing of a dump is ever in it.

import { batch, effect, untracked } from "@preact/signals";
import { asked, findings, outcome, revealed, selected } from "./state";
import { rulePage, tab, TABS, type Tab } from "./result/view";

interface Place {
  tab: Tab;
  /** A finding's number in the report, from 1. */
  finding: number | null;
  rule: string | null;
}

/** The place that a fragment names; what it does not name, or names wrongly, is where the page begins. */
export function read(fragment: string): Place {
  const words = new URLSearchParams(fragment.replace(/^#/, ""));
  const number = Number(words.get("finding"));
  return {
    tab: TABS.find((name) => name === words.get("tab")) ?? "findings",
    finding: Number.isSafeInteger(number) && number > 0 ? number : null,
    rule: words.get("rule")?.toUpperCase() ?? null,
  };
}

/** The fragment of a place; empty where the page begins. */
export function write({ tab, finding, rule }: Place): string {
  const words = new URLSearchParams();
  if (tab !== "findings") words.set("tab", tab);
  if (finding !== null) words.set("finding", String(finding));
  if (rule !== null) words.set("rule", rule);
  return words.size > 0 ? `#${words.toString()}` : "";
}

/** A finding that the address names before there is a result. */
let awaited: number | null = null;

function go({ tab: name, finding, rule }: Place): void {
  batch(() => {
    rulePage.value = rule;
    tab.value = name;
    const at = finding === null ? null : finding - 1;
    if (at === null || findings.value[at]) selected.value = at;
    awaited = at !== null && outcome.value === null ? finding : null;
    revealed.value++;
  });
}

/** Keeps the address and the page the same, from now on. */
export function startHistory(): void {
  go(read(location.hash));
  window.addEventListener("popstate", () => go(read(location.hash)));
  let last = { tab: tab.value, rule: rulePage.value, asked: asked.value };
  effect(() => {
    const place = { tab: tab.value, finding: selected.value === null ? awaited : selected.value + 1, rule: rulePage.value };
    const isAsked = asked.value !== last.asked;
    const isElsewhere = place.tab !== last.tab || place.rule !== last.rule;
    last = { tab: place.tab, rule: place.rule, asked: asked.value };
    const fragment = write(place);
    if (fragment === location.hash) return;
    const address = location.href.replace(/#.*$/, "") + fragment;
    // What the cursor or a check selects is no step that somebody goes back.
    if (isAsked || isElsewhere) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
  });
  effect(() => {
    if (outcome.value === null || awaited === null) return;
    const at = awaited - 1;
    awaited = null;
    untracked(() => {
      if (!findings.value[at]) return;
      batch(() => {
        selected.value = at;
        revealed.value++;
      });
    });
  });
}
