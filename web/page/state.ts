// What the page knows: inputs, settings, the last outcome, and what is selected. Components read it and call its actions.

import { batch, computed, effect, signal } from "@preact/signals";
import { Cancelled, Engine, InputRefused } from "./engine/engine";
import type { Catalogue, Finding, Refusal, Result, Settings, Source } from "./engine/types";

/** A text above this many bytes stays a file: it is checked as a stream, and no editor holds it. */
export const EDITABLE = 16 << 20;

/** A dump that is being edited. */
export interface TextInput {
  id: number;
  kind: "text";
  name: string;
  text: string;
  /** The file that it was read from, where its bytes are not all UTF-8: it is checked and rewritten as it is. */
  bytes: File | null;
}

/** A dump too large for an editor. */
export interface FileInput {
  id: number;
  kind: "file";
  name: string;
  file: File;
}

export type Input = TextInput | FileInput;

/** Where the page is. */
export type Phase =
  /** The module is not there yet; text can be given already. */
  | { kind: "loading" }
  /** There is nothing to check. */
  | { kind: "empty" }
  | { kind: "checking"; done: number; total: number }
  | { kind: "checked" }
  /** An input cannot be checked. */
  | { kind: "refused"; refusal: Refusal }
  /** The module stopped; a fresh one is ready. */
  | { kind: "crashed"; message: string }
  | { kind: "cancelled" };

let nextId = 1;
const emptyInput = (): TextInput => ({ id: nextId++, kind: "text", name: "dump.sql", text: "", bytes: null });

export const engine = new Engine();
export const inputs = signal<Input[]>([emptyInput()]);
/** Which input is shown. */
export const shown = signal(0);
export const settings = signal<Settings>({});
export const catalogue = signal<Catalogue | null>(null);
export const phase = signal<Phase>({ kind: "loading" });
/** The last outcome, with the inputs that it is about. */
export const outcome = signal<{ result: Result; inputs: Input[] } | null>(null);
/** The selected finding: its number in the report. */
export const selected = signal<number | null>(null);

export const findings = computed<Finding[]>(() => outcome.value?.result.report.findings ?? []);
export const isEmpty = computed(() => inputs.value.every((input) => input.kind === "text" && input.text.trim() === ""));

/** Names that differ, for reports name an input by its name alone. */
function unique(name: string, taken: readonly Input[]): string {
  let free = name;
  for (let number = 2; taken.some((input) => input.name === free); number++) free = `${number}-${name}`;
  return free;
}

const sourceOf = (input: Input): Source => {
  if (input.kind === "file") return { name: input.name, file: input.file };
  return input.bytes ? { name: input.name, file: input.bytes } : { name: input.name, text: input.text };
};

/** Adds files, in the order in which they are restored: roles first. */
export async function addFiles(files: readonly File[]): Promise<void> {
  const added: Input[] = [];
  for (const file of files) {
    const name = unique(file.name, [...inputs.value, ...added]);
    const { text, exact } = await engine.read(file, EDITABLE);
    if (text === null) added.push({ id: nextId++, kind: "file", name, file });
    else added.push({ id: nextId++, kind: "text", name, text, bytes: exact ? null : file });
  }
  added.sort((a, b) => Number(!/role|global/i.test(a.name)) - Number(!/role|global/i.test(b.name)));
  batch(() => {
    inputs.value = isEmpty.value ? added : [...inputs.value, ...added];
    shown.value = Math.max(0, inputs.value.length - added.length);
  });
}

/** Puts one text in the place of everything. */
export function openText(name: string, text: string): void {
  batch(() => {
    inputs.value = [{ id: nextId++, kind: "text", name, text, bytes: null }];
    shown.value = 0;
  });
}

/** Takes what was typed into an input. */
export function edit(id: number, text: string): void {
  inputs.value = inputs.value.map((input) =>
    input.id === id && input.kind === "text" ? { ...input, text, bytes: null } : input,
  );
}

/** Takes an input away. */
export function remove(id: number): void {
  const rest = inputs.value.filter((input) => input.id !== id);
  batch(() => {
    inputs.value = rest.length > 0 ? rest : [emptyInput()];
    shown.value = Math.min(shown.value, inputs.value.length - 1);
  });
}

/** The number of the selected finding in another result. */
function sameFinding({ report }: Result): number | null {
  const old = selected.value === null ? undefined : findings.value[selected.value];
  if (!old) return null;
  const isSame = (one: Finding): boolean => one.rule === old.rule && one.file === old.file && one.message === old.message;
  const at = report.findings.findIndex((one) => isSame(one) && one.span.start === old.span.start);
  // What was typed before it has moved it.
  const found = at >= 0 ? at : report.findings.findIndex((one) => isSame(one) && one.object === old.object);
  return found >= 0 ? found : null;
}

let latest = 0;

/** Checks what is there now; an older check that is still under way is dropped. */
export async function check(): Promise<void> {
  const own = ++latest;
  engine.cancel();
  if (isEmpty.value) {
    batch(() => {
      phase.value = catalogue.value ? { kind: "empty" } : { kind: "loading" };
      outcome.value = null;
      selected.value = null;
    });
    return;
  }
  const checked = inputs.value;
  const mine = (act: () => void): void => {
    if (own === latest) batch(act);
  };
  mine(() => (phase.value = { kind: "checking", done: 0, total: 0 }));
  try {
    const result = await engine.check(checked.map(sourceOf), settings.value, (done, total) =>
      mine(() => (phase.value = { kind: "checking", done, total })),
    );
    mine(() => {
      selected.value = sameFinding(result);
      outcome.value = { result, inputs: checked };
      phase.value = { kind: "checked" };
    });
  } catch (error) {
    mine(() => {
      outcome.value = null;
      if (error instanceof InputRefused) phase.value = { kind: "refused", refusal: error.refusal };
      else if (error instanceof Cancelled) phase.value = { kind: "cancelled" };
      else phase.value = { kind: "crashed", message: error instanceof Error ? error.message : String(error) };
    });
  }
}

/** Stops the check that is under way. */
export function cancel(): void {
  latest++;
  engine.cancel();
  phase.value = { kind: "cancelled" };
}

/** Milliseconds without a key before an edited text is checked. */
const PAUSE = 250;

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
    timer = setTimeout(() => void check(), typed ? PAUSE : 0);
  });
}
