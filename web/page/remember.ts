// What a reload keeps, if the person wants it to: the texts, their order, and what was chosen. It stays in this browser,
// and goes when it is turned off.

import { batch, effect, signal } from "@preact/signals";
import { EDITABLE, textInput, type Input } from "./input";
import { inputs, isEmpty, settings, shown } from "./state";
import type { Settings } from "./engine/types";

/** The name of the database, and of the mark that there is one. */
const NAME = "tsmigrate-checker";
const STORE = "kept";
const KEY = "page";

/** Milliseconds from a change until it is kept. */
const PAUSE = 600;

/** The last moment's page: a page that goes has no time for a database, but for this. */
const LAST = "tsmigrate-checker-last";
/** Characters of it that a browser surely takes. */
const MOST = 1_500_000;

interface Kept {
  texts: { name: string; text: string; bytes: File | null }[];
  shown: number;
  settings: Settings;
}

/** Whether this page remembers. */
export const remembering = signal(false);
/** Why it cannot. */
export const forgetful = signal<string | null>(null);

const done = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("the browser keeps nothing"));
  });

async function withStore<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const opening = indexedDB.open(NAME, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
  const database = await done(opening);
  try {
    return await done(act(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

/** Files that no editor holds are not kept: nobody expects a copy of hundreds of megabytes. */
export const isKept = (input: Input): boolean => input.kind === "text" && input.text.length <= EDITABLE;

function page(): Kept {
  const texts = inputs.value.flatMap((input) =>
    input.kind === "text" && isKept(input) ? [{ name: input.name, text: input.bytes ? "" : input.text, bytes: input.bytes }] : [],
  );
  return { texts, shown: shown.value, settings: settings.value };
}

/** A change that is not kept yet. */
let timer: ReturnType<typeof setTimeout> | undefined;

/** True where a reload would lose what was typed last: the browser has to ask. */
export function isUnkept(): boolean {
  return remembering.peek() && timer !== undefined && !isShort(page());
}

/** Bytes that are no text need the database. */
const isShort = ({ texts }: Kept): boolean =>
  texts.every(({ bytes }) => bytes === null) && texts.reduce((sum, { text }) => sum + text.length, 0) <= MOST;

/** Keeps the page at once, in a moment that has no later one. */
function keepNow(): void {
  if (timer === undefined || !remembering.peek()) return;
  clearTimeout(timer);
  timer = undefined;
  const now = page();
  try {
    if (isShort(now)) localStorage.setItem(LAST, JSON.stringify(now));
  } catch {
    // There is no room: the database may be quick enough.
  }
  void keep();
}

async function keep(): Promise<void> {
  try {
    timer = undefined;
    await withStore("readwrite", (store) => store.put(page(), KEY));
    // From here on the database is newer.
    localStorage.removeItem(LAST);
    if (!remembering.value) await forget();
  } catch (error) {
    forgetful.value = `This browser keeps nothing for this page (${String(error)}).`;
    remembering.value = false;
  }
}

async function forget(): Promise<void> {
  try {
    localStorage.removeItem(NAME);
    localStorage.removeItem(LAST);
    await done(indexedDB.deleteDatabase(NAME));
  } catch {
    // A browser that keeps nothing has nothing to forget.
  }
}

/** Turns it on or off. Off deletes what was kept. */
export function remember(on: boolean): void {
  forgetful.value = null;
  if (!on) {
    remembering.value = false;
    void forget();
    return;
  }
  try {
    localStorage.setItem(NAME, "yes");
    remembering.value = true;
  } catch (error) {
    forgetful.value = `This browser keeps nothing for this page (${String(error)}).`;
  }
}

async function restore(read: (file: File) => Promise<string>): Promise<void> {
  const last = localStorage.getItem(LAST);
  localStorage.removeItem(LAST);
  const kept = last ? (JSON.parse(last) as Kept) : ((await withStore("readonly", (store) => store.get(KEY))) as Kept | undefined);
  // What was pasted meanwhile counts more.
  if (!kept || !isEmpty.value) return;
  const restored: Input[] = [];
  for (const { name, text, bytes } of kept.texts) restored.push(textInput(name, bytes ? await read(bytes) : text, bytes));
  batch(() => {
    settings.value = kept.settings;
    if (restored.length === 0) return;
    inputs.value = restored;
    shown.value = Math.min(kept.shown, restored.length - 1);
  });
}

/** Brings back what was kept, and keeps what changes. */
export async function startRemembering(read: (file: File) => Promise<string>): Promise<void> {
  try {
    remembering.value = localStorage.getItem(NAME) === "yes";
    if (remembering.value) await restore(read);
  } catch {
    remembering.value = false;
  }
  effect(() => {
    void inputs.value;
    void shown.value;
    void settings.value;
    clearTimeout(timer);
    timer = remembering.value ? setTimeout(() => void keep(), PAUSE) : undefined;
  });
  window.addEventListener("pagehide", keepNow);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") keepNow();
  });
}
