// Buttons and boxes that the view has in more than one place.

import { make, type Child } from "./dom";
import type { Model } from "./model";

/** Text into the clipboard, also where there is no leave to use it: from a file, without HTTPS. */
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/** Copies a text; `of` says what it is, for who does not see it. */
export function copyButton(text: string, of: string, words = "Copy"): HTMLElement {
  const act = async (button: HTMLElement): Promise<void> => {
    const said = (await copy(text)) ? "Copied" : "Press Ctrl+C";
    const span = button.firstElementChild;
    if (span) span.textContent = said;
    button.focus();
    setTimeout(() => {
      if (span?.textContent === said) span.textContent = words;
    }, 2000);
  };
  return make(
    "button",
    { type: "button", class: "copy", "aria-label": `Copy ${of}`, onclick: ({ currentTarget }: MouseEvent) => void act(currentTarget as HTMLElement) },
    make("span", { "aria-live": "polite" }, words),
  );
}

/** A button that looks like a link. */
export const linkButton = (act: () => void, ...children: Child[]): HTMLElement => make("button", { type: "button", class: "link", onclick: act }, ...children);

/** A checkbox that can be in between. */
export function tri(state: "on" | "off" | "some", label: string, set: (on: boolean) => void, name = ""): HTMLElement {
  return make("input", {
    type: "checkbox",
    class: `switch ${name}`,
    "aria-label": label,
    title: label,
    checked: state === "on",
    indeterminate: state === "some",
    onchange: ({ currentTarget }: Event) => set((currentTarget as HTMLInputElement).checked),
  });
}

/** A page to read on, elsewhere. */
export function docs(url: string): Child {
  if (!url.startsWith("https://")) return null;
  return make(
    "a",
    { href: url, target: "_blank", rel: "noopener noreferrer" },
    url.replace(/^https:\/\/(www\.)?/, ""),
    make("span", { class: "visually-hidden" }, " (opens in a new tab)"),
  );
}

/** A way to a finding. */
export const findingLink = (model: Model, at: number, words: string): HTMLElement => linkButton(() => model.select(at), make("code", {}, words));

/** Words and what is said of them; what is nothing is left out. */
export const facts = (rows: readonly (readonly [string, Child])[]): HTMLElement =>
  make("dl", { class: "facts" }, rows.filter(([, value]) => value).map(([word, value]) => [make("dt", {}, word), make("dd", {}, value)]));
