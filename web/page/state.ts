// What the page knows: inputs, settings, the last outcome, and what is selected. Components read it and call its actions.

import { batch, computed, effect, signal } from "@preact/signals";
import { Cancelled, Engine, InputRefused } from "./engine/engine";
import { Content } from "./editor/content";
import { openIn, unfinishedIn, type Edited, type Unfinished } from "./unfinished";
import { EDITABLE, fileInput, isBlank, isRoles, TextInput, textInput, unique, type Input } from "./input";
import type { Catalogue, Finding, Format, Refusal, Result, Settings, Source } from "./engine/types";

/** Where the page is. */
export type Phase =
  /** The module is not there yet; text can be given already. */
  | { kind: "loading" }
  /** There is nothing to check. */
  | { kind: "empty" }
  | { kind: "checking"; done: number; total: number }
  | { kind: "checked" }
  /** A statement is being typed: the outcome is that of the text before it. */
  | { kind: "unfinished"; at: Unfinished }
  /** An input cannot be checked. */
  | { kind: "refused"; refusal: Refusal }
  /** The module stopped; a fresh one is ready. */
  | { kind: "crashed"; message: string }
  | { kind: "cancelled" };

export type { FileInput, Input, TextInput } from "./input";

const emptyInput = (): TextInput => textInput("dump.sql", "");

export const engine = new Engine();
export const inputs = signal<Input[]>([emptyInput()]);
/** A file that is being read. */
export const reading = signal<string | null>(null);
/** Which input is shown. */
export const shown = signal(0);
export const settings = signal<Settings>({});
export const catalogue = signal<Catalogue | null>(null);
export const phase = signal<Phase>({ kind: "loading" });
/** Something has changed since the last check began: another is about to begin. */
export const due = signal(false);
/** The last outcome, with the inputs that it is about. */
export const outcome = signal<{ result: Result; inputs: Input[] } | null>(null);
/** Why settings were refused; those before them count again. */
export const settingsRefused = signal<string | null>(null);
/** The selected finding: its number in the report. */
export const selected = signal<number | null>(null);
/** On a small screen, whether the result stands first and the dump is folded: a dump was given as a whole. */
export const folded = signal(false);
/** An input that was closed last, to be brought back. */
export const closed = signal<{ input: Input; at: number; settings: Settings } | null>(null);
/** Counts the times that somebody asked to see the selected finding's place. */
export const revealed = signal(0);

export const findings = computed<Finding[]>(() => outcome.value?.result.report.findings ?? []);
export const isEmpty = computed(() => inputs.value.every(isBlank));
/** The phase, or what comes before a check: the outcome is that of the present inputs and settings in `checked` alone. */
export const stage = computed<Phase["kind"] | "reading" | "due">(() =>
  reading.value !== null ? "reading" : due.value ? "due" : phase.value.kind,
);

const sourceOf = (input: Input): Source => {
  if (input.kind === "file") return { name: input.name, file: input.file };
  return input.bytes
    ? { name: input.name, file: input.bytes, shown: true }
    : { name: input.name, text: input.text };
};

/** Counts those of them that somebody may want to go back from: no step from finding to finding. */
export const asked = signal(0);

/** Selects a finding and shows its place. */
export function select(finding: number | null, isStep = false): void {
  batch(() => {
    selected.value = finding;
    revealed.value++;
    if (!isStep) asked.value++;
  });
}

/** Puts inputs behind those that are there, in the order in which dumps are restored: roles first. */
function add(added: readonly Input[]): void {
  const first = added[0];
  if (!first) return;
  const kept = inputs.value.filter((input) => !isBlank(input));
  const all = [...kept, ...added];
  const sorted = added.some(isRoles) ? [...all.filter(isRoles), ...all.filter((input) => !isRoles(input))] : all;
  // Of a pair, the schema is what people want to see.
  const seen = added.find((input) => !isRoles(input)) ?? first;
  batch(() => {
    closed.value = null;
    folded.value = true;
    if (kept.length === 0) forgetChoices();
    inputs.value = sorted;
    shown.value = sorted.indexOf(seen);
  });
}

let reader: Engine | null = null;

/** Adds files. A worker of its own reads them: a check that is under way goes on. */
export async function addFiles(files: readonly File[]): Promise<void> {
  const added: Input[] = [];
  reader?.cancel();
  const own = (reader = new Engine());
  try {
    for (const file of files) {
      reading.value = file.name;
      const name = unique(file.name, [...inputs.value.filter((input) => !isBlank(input)), ...added]);
      const text = await own.read(file, EDITABLE).catch((error: unknown) => {
        if (error instanceof Cancelled) throw error;
        // What is wrong with it is what its check will say.
        return { text: null, exact: true, isArchive: false };
      });
      // An empty file is checked as a file: the check says so.
      if (text.text === null || !/\S/.test(text.text)) added.push(fileInput(name, file, text.isArchive));
      else added.push(textInput(name, text.text, text.exact ? null : file));
    }
    if (own === reader) add(added);
  } catch (error) {
    if (!(error instanceof Cancelled)) throw error;
  } finally {
    own.stop();
    if (own === reader) {
      reader = null;
      reading.value = null;
    }
  }
}

/** A file's text as an editor shows it, whatever its bytes are. */
export async function readText(file: File): Promise<string> {
  const own = new Engine();
  try {
    return (await own.read(file, EDITABLE)).text ?? "";
  } finally {
    own.stop();
  }
}

/** Adds a text as an input of its own. */
export function addText(name: string, text: string): void {
  const taken = inputs.value.filter((input) => !isBlank(input));
  const input = textInput(unique(name, taken), text);
  own.add(input.id);
  add([input]);
}

/** Texts that were pasted or typed: no file has them. */
const own = new Set<number>();

/** True where something would be lost with the page: a text that no file has, or choices. */
export const isWork = (): boolean => {
  const { accept = [], leave = [], hypertables = [] } = settings.peek();
  const isOwn = inputs.peek().some((input) => own.has(input.id) && !isBlank(input));
  return isOwn || (!isEmpty.peek() && accept.length + leave.length + hypertables.length > 0);
};

/** Adds an empty text to type or paste into. */
export function addEmpty(): void {
  batch(() => {
    inputs.value = [...inputs.value, textInput(unique("dump.sql", inputs.value), "")];
    shown.value = inputs.value.length - 1;
  });
}

/** Puts texts in the place of everything. */
export function openTexts(texts: readonly { name: string; text: string }[]): void {
  batch(() => {
    forgetChoices();
    closed.value = null;
    folded.value = true;
    inputs.value = texts.map(({ name, text }) => textInput(name, text));
    shown.value = texts.length - 1;
  });
}

/** Puts one text in the place of everything. */
export const openText = (name: string, text: string): void => openTexts([{ name, text }]);

/** The last edit that no check has seen. */
let edited: Edited | null = null;

/** Takes what was typed into an input; `head` is where the cursor is in its document. */
export function edit(id: number, content: Content, head = 0): void {
  own.add(id);
  edited = { id, head };
  inputs.value = inputs.value.map((input) =>
    input.id === id && input.kind === "text" ? new TextInput(id, input.name, content) : input,
  );
}

/** Takes the text of an input whose bytes are not UTF-8 for what it is to be. */
export function editAsText(id: number): void {
  const input = inputs.value.find((one) => one.id === id);
  if (input?.kind === "text") edit(id, input.content);
}

/** Closes an input; it can be brought back until another comes. */
export function remove(id: number): void {
  const at = inputs.value.findIndex((input) => input.id === id);
  const input = inputs.value[at];
  const rest = inputs.value.filter((input) => input.id !== id);
  if (!input) return;
  batch(() => {
    if (!isBlank(input)) closed.value = { input, at, settings: settings.value };
    inputs.value = rest.length > 0 ? rest : [emptyInput()];
    const before = at < shown.value ? shown.value - 1 : shown.value;
    shown.value = Math.min(Math.max(before, 0), inputs.value.length - 1);
  });
}

/** Brings back the input that was closed last, with what was chosen for it. */
export function reopen(): void {
  const last = closed.value;
  if (!last) return;
  const kept = inputs.value.filter((input) => !isBlank(input));
  batch(() => {
    closed.value = null;
    settings.value = last.settings;
    inputs.value = kept.toSpliced(last.at, 0, last.input);
    shown.value = Math.min(last.at, kept.length);
  });
}

/** Moves an input: dumps are restored in this order. */
export function move(id: number, by: -1 | 1): void {
  const at = inputs.value.findIndex((input) => input.id === id);
  const moved = inputs.value[at];
  const other = inputs.value[at + by];
  if (!moved || !other) return;
  const next = [...inputs.value];
  next[at] = other;
  next[at + by] = moved;
  batch(() => {
    if (shown.value === at) shown.value = at + by;
    else if (shown.value === at + by) shown.value = at;
    inputs.value = next;
  });
}

/** The same finding in a newer report: numbers change with every key. */
function sameFinding(before: Finding | undefined, now: readonly Finding[]): number | null {
  if (!before) return null;
  const alike = (one: Finding): boolean =>
    one.rule === before.rule && one.file === before.file && one.object === before.object && one.message === before.message;
  let best: number | null = null;
  now.forEach((one, at) => {
    if (!alike(one)) return;
    const far = (other: Finding): number => Math.abs(other.line - before.line);
    const held = best === null ? undefined : now[best];
    if (!held || far(one) < far(held)) best = at;
  });
  return best;
}

/** The settings that the module took last. */
let taken: Settings = {};

/** What is typed or put together by hand, so that the module may refuse it. */
const REFUSABLE = ["timescaledb", "levels", "hypertables"] as const;

/** Takes back what the module refused. What was chosen besides stays, also what was chosen since it was asked. */
function takeBack(): void {
  const next: Settings = { ...settings.value };
  for (const key of REFUSABLE) {
    delete next[key];
    if (key in taken) Object.assign(next, { [key]: taken[key] });
  }
  // Settings of another version of the page may be refused for something else: then all of them go.
  settings.value = JSON.stringify(next) === JSON.stringify(settings.value) ? taken : next;
}

/** Takes back what was chosen for findings: another dump has others. The target stays. */
function forgetChoices(): void {
  const { accept, leave, database, hypertables, ...target } = settings.value;
  if ([accept, leave, hypertables].some((list) => (list?.length ?? 0) > 0) || database) settings.value = target;
}

let latest = 0;

/** A check that takes less is waited for when another has to follow: in milliseconds. */
const SOON = 500;

/** How long a check that is under way is waited for. One that takes longer is stopped, and nothing is known to the next one. */
function patience(): number {
  const took = outcome.peek()?.result.took ?? SOON;
  return took < SOON ? 2 * took + 50 : 0;
}

/** What a text that was still being typed comes to, for when nobody types there any more. */
let pending: (() => void) | null = null;

/** Nobody types any more: what stands there counts as it is. */
export function settle(): void {
  const act = pending;
  pending = null;
  if (act) batch(act);
}

/** Checks what is there now; an older check that is still under way is dropped. */
export async function check(): Promise<void> {
  const own = ++latest;
  const last = edited;
  due.value = false;
  pending = null;
  if (isEmpty.value) {
    engine.cancel();
    batch(() => {
      phase.value = catalogue.value ? { kind: "empty" } : { kind: "loading" };
      outcome.value = null;
      selected.value = null;
      folded.value = false;
    });
    return;
  }
  const checked = inputs.value;
  const asked = settings.value;
  const mine = (act: () => void): void => {
    if (own === latest) batch(act);
  };
  mine(() => (phase.value = { kind: "checking", done: 0, total: 0 }));
  await engine.free(patience());
  if (own !== latest) return;
  try {
    const result = await engine.check(checked.map(sourceOf), asked, (done, total) =>
      mine(() => (phase.value = { kind: "checking", done, total })),
    );
    const known = catalogue.value ?? (await engine.start());
    mine(() => {
      taken = asked;
      catalogue.value = known;
      const show = (): void => {
        const before = selected.value === null ? undefined : findings.value[selected.value];
        outcome.value = { result, inputs: checked };
        phase.value = { kind: "checked" };
        selected.value = sameFinding(before, result.report.findings);
      };
      hold(last && unfinishedIn(result, checked, last, outcome.value?.result.report ?? null), show);
    });
  } catch (error) {
    mine(() => {
      if (error instanceof InputRefused && error.refusal.input === "") {
        settingsRefused.value = error.refusal.what;
        takeBack();
        return;
      }
      if (error instanceof InputRefused) {
        const { refusal } = error;
        const open = last && openIn(refusal, checked, last);
        const show = (): void => {
          // The result of what was there before somebody typed stays.
          if (!open) forgetOutcome();
          phase.value = { kind: "refused", refusal };
        };
        hold(open, show);
        return;
      }
      forgetOutcome();
      if (error instanceof Cancelled) phase.value = { kind: "cancelled" };
      else phase.value = { kind: "crashed", message: error instanceof Error ? error.message : String(error) };
    });
  }
  // A check that another has overtaken has told nobody of the edit.
  if (own === latest && last === edited) edited = null;
}

function forgetOutcome(): void {
  outcome.value = null;
  selected.value = null;
}

/** Shows what a check came to; while its text is unfinished, that waits. */
function hold(at: Unfinished | null, show: () => void): void {
  if (!at) {
    show();
    return;
  }
  pending = show;
  phase.value = { kind: "unfinished", at };
}

/** Asks for something of the last check, and checks again where the worker is a fresh one. */
async function ofCheck<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof InputRefused)) throw error;
    await check();
    return ask();
  }
}

/** The rewritten bytes of an input. */
export const rewritten = (input: number, isDeleted: boolean): Promise<Blob> => ofCheck(() => engine.rewrite(input, isDeleted));

/** The report in a form. */
export const written = (format: Format): Promise<Blob> => ofCheck(() => engine.write(format));

/** Stops the check that is under way. */
export function cancel(): void {
  latest++;
  engine.cancel();
  if (reading.value !== null) {
    reader?.cancel();
    return;
  }
  phase.value = { kind: "cancelled" };
}

/** Milliseconds without a key before an edited text is checked: more where a check takes long. */
const PAUSE = 150;
const LONGEST_PAUSE = 1500;

const pause = (): number => Math.min(Math.max(PAUSE, (outcome.peek()?.result.took ?? 0) / 2), LONGEST_PAUSE);

/** Starts the module, and checks whatever changes from then on. */
export function start(): void {
  void engine.start().then(
    (value) => {
      catalogue.value = value;
      if (isEmpty.value && phase.value.kind === "loading") phase.value = { kind: "empty" };
    },
    (error: unknown) => (phase.value = { kind: "crashed", message: String(error) }),
  );
  let timer: ReturnType<typeof setTimeout> | undefined;
  let before: Input[] | null = null;
  effect(() => {
    const now = inputs.value;
    void settings.value;
    clearTimeout(timer);
    const typed = before !== null && before !== now && before.length === now.length && before.every((input, at) => input.id === now[at]?.id);
    before = now;
    due.value = true;
    timer = setTimeout(() => void check(), typed ? pause() : 0);
  });
}
