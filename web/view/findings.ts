// All findings: filtered, put together, folded.

import { choiceOf, CLASSES, classOf, ONE, TITLES, type By, type Class, type Finding, type Group } from "./classes";
import { linkButton, tri } from "./controls";
import { keyed, make, type Child } from "./dom";
import { findingRow, ruleWords } from "./finding";
import { GROUPS, isOpen, STEP, windowOf } from "./list";
import type { Model } from "./model";
import { count, plural, seen, thousands } from "./words";

export function findings(model: Model): Child {
  const { findings: all, groups, visible, shown, numbers } = model;
  const total = all.length;
  if (total === 0) return [counts(model), model.levels(), make("p", { class: "nothing quiet" }, "Nothing was found.")];
  const inAll = Object.values(numbers).reduce((sum, number) => sum + number, 0);
  const left = groups.length - shown.most;
  const said =
    visible.length === total ?
      `${count(total, "finding")}${inAll > total ? " shown" : ""} in ${count(groups.length, "group")}`
    : `${thousands(visible.length)} of ${count(total, "finding")} in ${count(groups.length, "group")}`;
  return [
    keyed("counts", counts(model)),
    keyed("tools", tools(model)),
    model.levels(),
    keyed("status", make("p", { class: "status quiet", role: "status" }, said)),
    inAll > total && keyed("capped", capped(model, inAll)),
    keyed(
      "findings",
      make(
        "div",
        { class: "findings", onkeydown: (event: KeyboardEvent) => move(event, model) },
        groups.slice(0, shown.most).map((group, at) => [
          shown.by === "rule" &&
            group.class &&
            groups[at - 1]?.class !== group.class &&
            keyed(`part ${group.class}`, make("h3", { class: `part ${group.class}` }, TITLES[group.class])),
          groupView(model, group, at),
        ]),
        left > 0 && make("button", { type: "button", class: "more", onclick: () => model.show({ most: shown.most + GROUPS }) }, `Show more: ${count(left, "group")} left`),
        groups.length === 0 && make("p", { class: "nothing quiet" }, "No finding matches."),
      ),
    ),
  ];
}

/** That the dump has more findings than are shown. */
function capped({ findings, download }: Model, inAll: number): HTMLElement {
  return make(
    "p",
    { class: "capped" },
    `The dump has ${count(inAll, "finding")}: more than a page can hold. Shown and searched are ${thousands(findings.length)}, the first of each rule ` +
      "and then the worst. The verdict, the numbers above, switches of whole rules and all that is downloaded are of all. ",
    download ? ["Every one is in the reports: ", linkButton(download, "Download")] : "Every one is in the report in JSON.",
  );
}

/** Arrow keys, and j and k, go from row to row. */
function move(event: KeyboardEvent, model: Model): void {
  const steps: Record<string, number> = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 };
  const step = steps[event.key];
  const { target: here, currentTarget: list } = event;
  if (!(list instanceof HTMLElement) || !(here instanceof HTMLElement) || event.ctrlKey || event.metaKey || event.altKey) return;
  const rows = [...list.querySelectorAll<HTMLElement>("button.head, button.row, button.more")];
  const at = rows.findIndex((row) => row === here || (here.matches("input") && row.parentElement === here.closest(".line")));
  if (at < 0) return;
  const next =
    step !== undefined ? rows[at + step]
    : event.key === "Home" ? rows[0]
    : event.key === "End" ? rows[rows.length - 1]
    : undefined;
  if (next) {
    event.preventDefault();
    next.focus();
  } else if (event.key === "Escape" && model.shown.selected !== null) {
    model.show({ selected: null });
  }
}

const BY: By[] = ["rule", "object", "severity", "file"];

let searching: ReturnType<typeof setTimeout> | undefined;

function tools(model: Model): HTMLElement {
  const { shown, groups, fixes } = model;
  const type = (search: string): void => {
    model.show({ search });
    clearTimeout(searching);
    searching = setTimeout(() => model.show({ words: search.toLowerCase().split(/\s+/).filter(Boolean) }), 120);
  };
  const areOpen = groups.length > 0 && groups.every((group, at) => isOpen(model, group.key, at));
  return make(
    "div",
    { class: "tools", role: "search", "aria-label": "Findings" },
    make("input", {
      type: "search",
      value: shown.search,
      placeholder: "Search: a table, a rule, words of a message",
      "aria-label": "Search findings",
      autocomplete: "off",
      spellcheck: "false",
      oninput: ({ currentTarget }: Event) => type((currentTarget as HTMLInputElement).value),
    }),
    make(
      "label",
      { class: "by" },
      "Group by ",
      make(
        "select",
        { value: shown.by, onchange: ({ currentTarget }: Event) => model.show({ by: (currentTarget as HTMLSelectElement).value as By, most: GROUPS }) },
        BY.map((value) => make("option", { value }, value)),
      ),
    ),
    make(
      "button",
      { type: "button", onclick: () => model.show({ folds: new Map(groups.map((group) => [group.key, !areOpen])) }) },
      areOpen ? "Close all" : "Open all",
    ),
    fixes?.reset && make("button", { type: "button", onclick: fixes.reset }, "Reset to safe fixes"),
  );
}

/** What stands behind the number of a class. */
const nounOf = (name: Class, number: number): string =>
  name === "open" ? `${plural(number, "error")} open`
  : name === "solved" ? "fixed by the rewrite"
  : name === "allowed" ? "allowed"
  : plural(number, name);

/** How many there are of each class; each shows its own alone, and all again. */
function counts({ numbers, shown, show }: Model): HTMLElement {
  const isOnly = (name: Class): boolean => shown.hidden.size === CLASSES.length - 1 && !shown.hidden.has(name);
  const only = (name: Class): void => show({ hidden: isOnly(name) ? new Set() : new Set(CLASSES.filter((other) => other !== name)) });
  return make(
    "ul",
    { class: "counts", "aria-label": "Show only" },
    CLASSES.filter((name) => name !== "allowed" || numbers.allowed > 0).map((name) => {
      const number = numbers[name];
      return make(
        "li",
        { class: `${name} ${number === 0 ? "none" : ""}` },
        make(
          "button",
          { type: "button", disabled: number === 0, "aria-pressed": isOnly(name), onclick: () => only(name) },
          make("b", {}, thousands(number)),
          ` ${nounOf(name, number)}`,
        ),
      );
    }),
  );
}

/** Findings that stand together: a heading, one switch for all their fixes, and some of them. */
function groupView(model: Model, group: Group, at: number): HTMLElement {
  const open = isOpen(model, group.key, at);
  const { members, rule, key } = group;
  const fold = (): void => model.show({ folds: new Map(model.shown.folds).set(key, !open) });
  return keyed(
    `group ${key}`,
    make(
      "section",
      { class: "group" },
      make(
        "div",
        { class: "line" },
        groupSwitch(model, group),
        make(
          "h4",
          {},
          make(
            "button",
            { type: "button", class: "head", "aria-expanded": open, onclick: fold },
            rule ?
              [make("span", { class: `badge ${group.class ?? ""}` }, rule), " ", make("span", { class: "name" }, model.summaryOf(rule) ?? group.title)]
            : [make("span", { class: "name" }, seen(group.title)), " ", badges(model, members)],
            make("span", { class: "number", "aria-label": count(members.length, "finding") }, thousands(members.length)),
          ),
        ),
      ),
      open && groupBody(model, group),
    ),
  );
}

function groupBody(model: Model, { key, rule, members }: Group): HTMLElement {
  const { from, until } = windowOf(model, key);
  const first = model.findings[members[0] ?? -1];
  const left = members.length - until;
  const window = (from: number, until: number): void => model.show({ windows: new Map(model.shown.windows).set(key, { from, until }) });
  return make(
    "div",
    { class: "body" },
    rule && first && ruleWords(model, first),
    from > 0 && make("button", { type: "button", class: "more", onclick: () => window(Math.max(0, from - STEP), until) }, `Show ${Math.min(STEP, from)} before these`),
    make(
      "ul",
      {},
      members.slice(from, until).map((index) => findingRow(model, index, rule !== null)),
    ),
    left > 0 &&
      make(
        "button",
        { type: "button", class: "more", onclick: () => window(from, until + STEP * 2) },
        `Show ${thousands(Math.min(STEP * 2, left))} more of ${thousands(left)}`,
      ),
  );
}

/** The classes in a group, each with its number. */
function badges({ findings }: Model, members: readonly number[]): Child {
  const numbers = new Map<Class, number>();
  for (const at of members) {
    const finding = findings[at];
    if (finding) numbers.set(classOf(finding), (numbers.get(classOf(finding)) ?? 0) + 1);
  }
  return CLASSES.filter((name) => numbers.has(name)).map((name) => {
    const number = numbers.get(name) ?? 0;
    return make("span", { class: `badge ${name}` }, name === "allowed" ? `${number} allowed` : count(number, ONE[name]));
  });
}

const choosables = new WeakMap<Group, Finding[]>();

/** The findings of a group that have a switch. A group may have tens of thousands, and is drawn with every key. */
function choosable(findings: readonly Finding[], group: Group): Finding[] {
  let members = choosables.get(group);
  if (!members) {
    members = group.members.flatMap((at) => {
      const finding = findings[at];
      return finding && choiceOf(finding) !== "none" ? [finding] : [];
    });
    choosables.set(group, members);
  }
  return members;
}

/** Switches all fixes of a group. */
function groupSwitch({ fixes, findings }: Model, group: Group): Child {
  if (!fixes) return null;
  const members = choosable(findings, group);
  if (members.length === 0) return make("span", { class: "no-switch" });
  const on = members.filter((finding) => fixes.isOn(finding)).length;
  const risks = members.filter((finding) => finding.risk).length;
  const losing = members.filter((finding) => !finding.risk && choiceOf(finding) === "review").length;
  const what = [
    losing > 0 && `${thousands(losing)} of them ${losing === 1 ? "loses" : "lose"} something`,
    risks > 0 && `${thousands(risks)} of them may fail`,
  ]
    .filter(Boolean)
    .join(", ");
  const label = `All fixes of ${group.rule ?? seen(group.title)}: ${thousands(on)} of ${thousands(members.length)} on (${what || "all safe"})`;
  return tri(on === 0 ? "off" : on === members.length ? "on" : "some", label, (value) => fixes.set(members, value));
}
