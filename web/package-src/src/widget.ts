// `<tsmigrate-checker>`: a field for a dump, and what there is to say about it. It loads nothing and sends nothing.

import type { WorkerAnalyzer } from "./worker-analyzer";
import { loadWorker } from "./browser";
import { InputError } from "./errors";
import type { CheckOptions } from "./options";
import type { Report, Words } from "./types";

const STYLE = `
:host { display: block; --text: #1b1f24; --dim: #57606a; --line: #d0d7de; --ground: #fff; --bad: #b3261e; --good: #087f5b;
  font: 14px/1.5 system-ui, sans-serif; color: var(--text); background: var(--ground); color-scheme: light }
:host([hidden]) { display: none }
.dark { --text: #e6edf3; --dim: #9198a1; --line: #3d444d; --ground: #0d1117; --bad: #ff8a80; --good: #4fd1a5; color-scheme: dark }
.all { padding: 12px; border: 1px solid var(--line); border-radius: 6px; background: var(--ground); color: var(--text) }
textarea { box-sizing: border-box; width: 100%; min-height: 10em; padding: 8px; border: 1px solid var(--line); border-radius: 4px;
  font: 13px/1.4 ui-monospace, monospace; color: inherit; background: transparent; resize: vertical }
label { display: block; margin-bottom: 4px; font-weight: 600 }
.verdict { margin: 10px 0 6px; font-weight: 600 }
.verdict[data-verdict=needs-work], .error { color: var(--bad) }
.verdict[data-verdict^=ready] { color: var(--good) }
ol { margin: 0; padding: 0; list-style: none }
li { padding: 6px 0; border-top: 1px solid var(--line) }
.rule { font-family: ui-monospace, monospace; color: var(--dim) }
.do { display: block; color: var(--dim) }
button { padding: 0; border: 0; font: inherit; color: inherit; background: none; text-align: start; cursor: pointer; text-decoration: underline }
`;

/** Milliseconds that a reader does not type before a check begins. */
const PAUSE = 250;
/** So many findings are listed. */
const MOST = 100;
const NAME = "dump.sql";

function made<Tag extends keyof HTMLElementTagNameMap>(tag: Tag, part: string, text = ""): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  element.className = part;
  element.setAttribute("part", part);
  element.textContent = text;
  return element;
}

/** All elements of a page share one worker. */
let worker: Promise<WorkerAnalyzer> | null = null;

/** The element. It is a class of its own only where there are elements. */
function checker(): CustomElementConstructor {
  return class extends HTMLElement {
    static readonly observedAttributes = ["target", "theme", "accept"];
    readonly #field = made("textarea", "input");
    readonly #all = made("div", "all");
    readonly #verdict = made("p", "verdict");
    readonly #list = made("ol", "list");
    #running: AbortController | null = null;
    #timer: ReturnType<typeof setTimeout> | undefined;

    constructor() {
      super();
      const root = this.attachShadow({ mode: "open" });
      // A page's policy on styles does not concern it.
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
      root.adoptedStyleSheets = [sheet];
      const label = made("label", "label", "PostgreSQL dump");
      label.htmlFor = this.#field.id = "dump";
      this.#field.spellcheck = false;
      this.#field.placeholder = "Paste the output of pg_dump --schema-only";
      this.#verdict.setAttribute("role", "status");
      this.#all.append(label, this.#field, this.#verdict, this.#list);
      // What stands between the element's tags, which a parser may add later, is the text that it begins with.
      const slot = document.createElement("slot");
      slot.hidden = true;
      slot.addEventListener("slotchange", () => this.#begin());
      root.append(this.#all, slot);
      this.#field.addEventListener("input", () => this.#later());
    }

    /** The text that is checked. */
    get value(): string {
      return this.#field.value;
    }

    set value(text: string) {
      this.#field.value = text;
      this.#later(0);
    }

    connectedCallback(): void {
      this.attributeChangedCallback();
    }

    #begin(): void {
      const text = this.textContent ?? "";
      if (this.#field.value === "" && text.trim() !== "") this.value = text;
    }

    disconnectedCallback(): void {
      clearTimeout(this.#timer);
      this.#running?.abort();
    }

    attributeChangedCallback(): void {
      const theme = this.getAttribute("theme");
      const isDark = theme === null ? matchMedia("(prefers-color-scheme: dark)").matches : theme === "dark";
      this.#all.classList.toggle("dark", isDark);
      if (this.isConnected && this.value) this.#later(0);
    }

    #later(pause = PAUSE): void {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.#check(), pause);
    }

    #options(): CheckOptions {
      const target = this.getAttribute("target");
      const accept = this.getAttribute("accept");
      return {
        cache: true,
        maxFindings: MOST,
        ...(target ? { targetVersion: Number(target) } : {}),
        ...(accept ? { accept: accept.split(",").map((rule) => rule.trim()) } : {}),
      };
    }

    async #check(): Promise<void> {
      this.#running?.abort();
      const running = (this.#running = new AbortController());
      if (this.value.trim() === "") return this.#show(null);
      try {
        const result = await (await (worker ??= loadWorker())).check([{ name: NAME, text: this.value }], { ...this.#options(), signal: running.signal });
        if (running.signal.aborted) return;
        this.#show(result.report, result.words);
        const { verdict, decisions, findings, counts } = result.report;
        this.#tell("tsmigrate-result", { verdict, decisions, findings, counts });
        void result.free();
      } catch (error) {
        if (running.signal.aborted) return;
        this.#refuse(error);
        this.#tell("tsmigrate-error", { error });
      }
    }

    #tell(name: string, detail: unknown): void {
      this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
    }

    #refuse(error: unknown): void {
      this.#show(null);
      const words = error instanceof InputError ? `${error.what}. Next: ${error.next}` : error instanceof Error ? error.message : String(error);
      this.#list.append(made("li", "error", words));
    }

    #show(report: Report | null, words?: Words): void {
      this.#list.replaceChildren();
      this.#verdict.textContent = words ? `${words.sign} ${words.title}: ${words.sentence}` : "";
      if (!report) {
        delete this.#verdict.dataset["verdict"];
        return;
      }
      this.#verdict.dataset["verdict"] = report.verdict;
      for (const { title, places, rules, choices } of report.decisions) {
        this.#entry(Object.keys(rules).join(", "), places[0]?.line ?? 0, title, choices.map(({ what }) => what).join(". Or: "));
      }
      for (const { decision, rule, line, message, help, solved } of report.findings) {
        if (decision === null) this.#entry(rule, line, message, solved ? `Fixed by the rewrite. ${help}` : help);
      }
    }

    #entry(rule: string, line: number, text: string, next: string): void {
      const item = made("li", "item");
      const place = made("button", "place", `line ${line}`);
      place.type = "button";
      place.addEventListener("click", () => this.#go(line));
      item.append(made("span", "rule", rule), " ", place, ` ${text}`, made("span", "do", next));
      this.#list.append(item);
    }

    /** Selects a line of the text. */
    #go(line: number): void {
      const lines = this.value.split("\n");
      const from = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
      this.#field.focus();
      this.#field.setSelectionRange(from, from + (lines[line - 1]?.length ?? 0));
    }
  };
}

/** Defines `<tsmigrate-checker>`, or an element of another name, unless it is defined. */
export function defineChecker(name = "tsmigrate-checker"): void {
  if (!customElements.get(name)) customElements.define(name, checker());
}
