// What a person has to decide, each with what can be done: any one way is enough. And what is lost.

import type { Finding } from "./classes";
import { copyButton } from "./controls";
import { keyed, make, type Child } from "./dom";
import type { Model } from "./model";
import type { Choice, Decision } from "./schema";
import { count, seen, thousands } from "./words";

/** Decisions that are shown at once, and losses. */
const DECISIONS = 5;
const LOSSES = 5;
/** Losses that are shown at all: the reports for programs have every one. */
const MOST_LOSSES = 1000;

/** Opens and closes a list. */
function toggle(model: Model, name: "decisions" | "lost", words: string): HTMLElement {
  const isAll = model.shown.all.has(name);
  const act = (): void => {
    const all = new Set(model.shown.all);
    if (isAll) all.delete(name);
    else all.add(name);
    model.show({ all });
  };
  return make("button", { type: "button", class: "link", "aria-expanded": isAll, onclick: act }, isAll ? "Show fewer" : words);
}

export function decisions(model: Model): Child {
  const { decisions: all, deciding, shown } = model;
  const over = deciding?.over ?? [];
  if (all.length === 0 && over.length === 0) return null;
  const isLong = all.length > DECISIONS + 1;
  const seenNow = shown.all.has("decisions") || !isLong ? all : all.slice(0, DECISIONS);
  return make(
    "div",
    { class: "decide" },
    all.length > 0 && make("ol", { "aria-label": "To decide" }, seenNow.map((decision, at) => decisionRow(model, decision, at === 0))),
    isLong && toggle(model, "decisions", `Show all ${thousands(all.length)}`),
    over.length > 0 &&
      make(
        "ul",
        { class: "decided", "aria-label": "Decided" },
        over.map(({ title, keep }) =>
          make(
            "li",
            {},
            make("span", {}, make("span", { "aria-hidden": true }, "✓"), ` Decided: ${seen(title)}`),
            make("button", { type: "button", disabled: !deciding?.isIdle, onclick: keep, "aria-label": `Keep as it is: ${seen(title)}` }, "Keep"),
          ),
        ),
      ),
  );
}

/** The choice that the page itself can take: what the command line accepts. */
export const taken = ({ choices }: Decision): Choice | undefined => choices.find(({ command }) => command?.startsWith("--accept "));

function decisionRow(model: Model, decision: Decision, isFirst: boolean): HTMLElement {
  const { deciding, findings } = model;
  const act = deciding?.verb(decision) ?? null;
  const own = act === null ? undefined : taken(decision);
  const at = toShow(model, decision);
  const title = seen(decision.title);
  return keyed(
    `decision-${decision.title}`,
    make(
      "li",
      {},
      make(
        "div",
        { class: "what" },
        make("b", {}, title),
        " ",
        make("span", { class: "quiet" }, `(${count(decision.blocks, "error")})`),
        // What a list of findings says of each needs saying where there is none.
        findings.length === 0 && make("p", {}, seen(decision.why)),
        make("ul", {}, decision.choices.map((choice) => choiceRow(choice, choice === own))),
      ),
      make(
        "div",
        { class: "acts" },
        at !== null && make("button", { type: "button", class: isFirst ? "main" : "", onclick: () => model.select(at), "aria-label": `Show me: ${title}` }, "Show me"),
        act !== null &&
          make("button", { type: "button", disabled: !deciding?.isIdle, onclick: () => deciding?.decide(decision), "aria-label": `${act}: ${title}` }, act),
      ),
    ),
  );
}

/** One way to decide; the command is of no use where a button does the same. */
function choiceRow({ what, command, lost }: Choice, isButton: boolean): HTMLElement {
  const isShown = command && !isButton;
  return make(
    "li",
    {},
    seen(isShown ? what.replace(/\.$/, "") : what),
    isShown && [": ", make("code", {}, seen(command)), " ", copyButton(command, `the command: ${what}`)],
    lost && make("span", { class: "quiet" }, ` (lost: ${seen(lost)})`),
  );
}

const firsts = new WeakMap<readonly Finding[], Map<number, number>>();

/** The finding to begin with: one that others follow from, where there is one. */
function toShow({ findings }: Model, { number }: Decision): number | null {
  let first = firsts.get(findings);
  if (!first) {
    first = new Map();
    const own = new Set<number>();
    for (const [at, { decision, related }] of findings.entries()) {
      if (decision === null || own.has(decision)) continue;
      const isOwn = related.every(({ rule }) => rule === null);
      if (isOwn) own.add(decision);
      if (isOwn || !first.has(decision)) first.set(decision, at);
    }
    firsts.set(findings, first);
  }
  return first.get(number) ?? null;
}

/** What the target will not have: never hidden, folded where it is long. */
export function losses(model: Model): Child {
  const { lost } = model;
  if (lost.length === 0) return null;
  const isAll = model.shown.all.has("lost");
  // One more than would be left out takes no more room than saying so.
  const isLong = lost.length > LOSSES + 1;
  const isCut = lost.length > MOST_LOSSES;
  return make(
    "div",
    { class: "lost" },
    make("h3", {}, "The target will not have, after the rewrite"),
    make("ul", {}, (isAll || !isLong ? lost.slice(0, MOST_LOSSES) : lost.slice(0, LOSSES)).map((loss) => make("li", {}, seen(loss)))),
    isLong && toggle(model, "lost", isCut ? `Show ${thousands(MOST_LOSSES)} of ${thousands(lost.length)}` : `Show all ${thousands(lost.length)}`),
    isAll && isCut && make("p", { class: "quiet" }, `… and ${thousands(lost.length - MOST_LOSSES)} more: the report in JSON has them all.`),
  );
}

