import { useEffect, useRef } from "preact/hooks";
import { useSignal, useSignalEffect } from "@preact/signals";
import { catalogue, findings, selected, settings } from "../state";
import { CLASSES, TITLES, ONE, type By, type Class, type Group, classOf } from "../result/classes";
import { choose, choiceOf, isChosen, onlySafe } from "../result/choices";
import { by, chosen, fold, folds, groups, hidden, isOpen, numbers, search, shownFindings, tab, total as inAll, words } from "../result/view";
import { count, seen, thousands } from "../result/words";
import { FindingRow, RuleWords } from "./finding";
import { Levels } from "./levels";
import { Tri } from "./tri";

/** Groups that are drawn at once, and findings of one group. */
const GROUPS = 100;
const STEP = 25;

/** All findings: filtered, put together, folded. */
export function Findings() {
  const most = useSignal(GROUPS);
  const list = useRef<HTMLDivElement>(null);
  const all = groups.value;
  useEffect(() => {
    most.value = GROUPS;
  }, [by.value]);
  useSignalEffect(() => {
    // What is selected elsewhere is brought into sight: its group first, then itself.
    const at = selected.value;
    if (at === null) return;
    const index = groups.value.findIndex((group) => group.members.includes(at));
    const group = groups.value[index];
    if (!group) return;
    if (!isOpen(group.key, index)) fold(group.key, true);
    if (index >= most.value) most.value = index + 1;
    requestAnimationFrame(() => document.getElementById(`finding-${at}`)?.scrollIntoView({ block: "nearest" }));
  });
  const total = findings.value.length;
  if (total === 0) {
    return (
      <>
        <Levels />
        <p class="nothing quiet">Nothing was found.</p>
      </>
    );
  }
  const left = all.length - most.value;
  return (
    <>
      <Tools />
      <Levels />
      <p class="status quiet" role="status">
        {shownFindings.value.length === total
          ? `${count(total, "finding")}${inAll.value > total ? " shown" : ""} in ${count(all.length, "group")}`
          : `${thousands(shownFindings.value.length)} of ${count(total, "finding")} in ${count(all.length, "group")}`}
      </p>
      {inAll.value > total && (
        <p class="capped">
          The dump has {count(inAll.value, "finding")}: more than a page can hold. Shown, searched and marked in the text are {thousands(total)}, the
          first of each rule and then the worst. The verdict, the numbers above, switches of whole rules and all that is downloaded are of all. Every one is in
          the reports:{" "}
          <button type="button" class="link" onClick={() => (tab.value = "take")}>
            Download
          </button>
        </p>
      )}
      <div class="findings" ref={list} onKeyDown={(event) => move(event, list.current)}>
        {all.slice(0, most.value).map((group, at) => (
          <>
            {by.value === "rule" && group.class && all[at - 1]?.class !== group.class && (
              <h3 class={`part ${group.class}`}>{TITLES[group.class]}</h3>
            )}
            <GroupView key={group.key} group={group} at={at} />
          </>
        ))}
        {left > 0 && (
          <button type="button" class="more" onClick={() => (most.value += GROUPS)}>
            Show more: {count(left, "group")} left
          </button>
        )}
        {all.length === 0 && <p class="nothing quiet">No finding matches.</p>}
      </div>
    </>
  );
}

/** Arrow keys, and j and k, go from row to row. */
function move(event: KeyboardEvent, list: HTMLElement | null): void {
  const steps: Record<string, number> = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 };
  const step = steps[event.key];
  const here = event.target;
  if (!list || !(here instanceof HTMLElement) || event.ctrlKey || event.metaKey || event.altKey) return;
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
  } else if (event.key === "Escape" && selected.value !== null) {
    selected.value = null;
  }
}

const BY: [By, string][] = [
  ["rule", "rule"],
  ["object", "object"],
  ["severity", "severity"],
  ["file", "file"],
];

function Tools() {
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const type = (text: string): void => {
    search.value = text;
    clearTimeout(timer.current);
    timer.current = setTimeout(() => (words.value = text.toLowerCase().split(/\s+/).filter(Boolean)), 120);
  };
  const toggle = (name: Class): void => {
    const next = new Set(hidden.value);
    if (!next.delete(name)) next.add(name);
    hidden.value = next;
  };
  const areOpen = groups.value.length > 0 && groups.value.every((group, at) => isOpen(group.key, at));
  const present = CLASSES.filter((name) => numbers.value[name] > 0);
  return (
    <div class="tools" role="search" aria-label="Findings">
      <input
        type="search"
        value={search.value}
        placeholder="Search: a table, a rule, words of a message"
        aria-label="Search findings"
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => type(event.currentTarget.value)}
      />
      <label class="by">
        Group by{" "}
        <select value={by.value} onChange={(event) => (by.value = event.currentTarget.value as By)}>
          {BY.map(([value, title]) => (
            <option key={value} value={value}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <button type="button" onClick={() => (folds.value = new Map(groups.value.map((group) => [group.key, !areOpen])))}>
        {areOpen ? "Close all" : "Open all"}
      </button>
      {isChosen(settings.value) && (
        <button type="button" onClick={() => (settings.value = onlySafe(settings.value))}>
          Reset to safe fixes
        </button>
      )}
      {present.length > 1 && (
        <div class="chips" role="group" aria-label="Shown">
          {present.map((name) => (
            <button key={name} type="button" class={`chip ${name}`} aria-pressed={!hidden.value.has(name)} onClick={() => toggle(name)}>
              {name === "warning" || name === "note" ? count(numbers.value[name], name) : `${thousands(numbers.value[name])} ${name}`}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

/** Findings that stand together: a heading, one switch for all their fixes, and some of them. */
function GroupView({ group, at }: { group: Group; at: number }) {
  const open = isOpen(group.key, at);
  const from = useSignal(0);
  const until = useSignal(STEP);
  useSignalEffect(() => {
    const index = selected.value === null ? -1 : group.members.indexOf(selected.value);
    if (index < 0 || (index >= from.peek() && index < until.peek())) return;
    from.value = Math.floor(index / STEP) * STEP;
    until.value = from.value + STEP;
  });
  const { members } = group;
  const shown = open ? members.slice(from.value, until.value) : [];
  const rule = group.rule ? catalogue.value?.rules.find(({ id }) => id === group.rule) : undefined;
  const first = findings.value[members[0] ?? -1];
  const left = members.length - until.value;
  return (
    <section class="group">
      <div class="line">
        <GroupSwitch group={group} />
        <h4>
          <button type="button" class="head" aria-expanded={open} onClick={() => fold(group.key, !open)}>
            {group.rule ? (
              <>
                <span class={`badge ${group.class ?? ""}`}>{group.rule}</span> <span class="name">{rule?.summary ?? group.title}</span>
              </>
            ) : (
              <>
                <span class="name">{seen(group.title)}</span> <Badges members={members} />
              </>
            )}
            <span class="number" aria-label={count(members.length, "finding")}>
              {thousands(members.length)}
            </span>
          </button>
        </h4>
      </div>
      {open && (
        <div class="body">
          {group.rule && first && <RuleWords finding={first} />}
          {from.value > 0 && (
            <button type="button" class="more" onClick={() => (from.value = Math.max(0, from.value - STEP))}>
              Show {Math.min(STEP, from.value)} before these
            </button>
          )}
          <ul>
            {shown.map((index) => (
              <FindingRow key={index} at={index} inRule={group.rule !== null} byObject={by.value === "object"} />
            ))}
          </ul>
          {left > 0 && (
            <button type="button" class="more" onClick={() => (until.value += STEP * 2)}>
              Show {thousands(Math.min(STEP * 2, left))} more of {thousands(left)}
            </button>
          )}
        </div>
      )}
    </section>
  );
}

/** The classes in a group, each with its number. */
function Badges({ members }: { members: readonly number[] }) {
  const numbers = new Map<Class, number>();
  for (const at of members) {
    const finding = findings.value[at];
    if (finding) numbers.set(classOf(finding), (numbers.get(classOf(finding)) ?? 0) + 1);
  }
  return (
    <>
      {CLASSES.filter((name) => numbers.has(name)).map((name) => (
        <span key={name} class={`badge ${name}`}>
          {name === "allowed" ? `${numbers.get(name) ?? 0} allowed` : count(numbers.get(name) ?? 0, ONE[name])}
        </span>
      ))}
    </>
  );
}

/** Switches all fixes of a group. */
function GroupSwitch({ group }: { group: Group }) {
  const members = group.members.flatMap((at) => {
    const finding = findings.value[at];
    return finding && choiceOf(finding) !== "none" ? [finding] : [];
  });
  if (members.length === 0) return <span class="no-switch" />;
  const on = members.filter((finding) => chosen.value.isOn(finding)).length;
  const reviews = members.filter((finding) => choiceOf(finding) === "review").length;
  const what = reviews === 0 ? "all safe" : `${thousands(reviews)} of them ${reviews === 1 ? "loses" : "lose"} something`;
  return (
    <Tri
      state={on === 0 ? "off" : on === members.length ? "on" : "some"}
      label={`All fixes of ${group.rule ?? seen(group.title)}: ${thousands(on)} of ${thousands(members.length)} on (${what})`}
      set={(value) => (settings.value = choose(settings.value, findings.value, members, value))}
    />
  );
}
