// `<tsmigrate-checker>`: the checker's editor, and the view of what there is to say about the dump in it. It loads nothing and
// sends nothing.

import { style } from "virtual:style";
import { Content } from "../../page/editor/content";
import { DumpEditor, type Marked } from "../../page/editor/editor";
import { TextInput } from "../../page/input";
import { decisions, losses } from "../../view/decisions";
import { draw, make, type Child } from "../../view/dom";
import { findings } from "../../view/findings";
import { Shower } from "../../view/shower";
import { checked, verdict } from "../../view/verdict";
import type { WorkerAnalyzer, WorkerResult } from "./worker-analyzer";
import { loadWorker } from "./browser";
import { InputError } from "./errors";
import type { CheckOptions } from "./options";
import type { Report } from "./types";

/** Milliseconds that a reader does not type before a check begins. */
const PAUSE = 250;
/** So many findings are shown. */
const MOST = 1000;
const NAME = "dump.sql";

/** What a page can reach with `::part()`: classes of the view, each under its own name. */
const PARTS = ["counts", "tools", "group", "finding", "badge", "message", "place", "detail", "excerpt", "decide", "lost", "checked"];

/** All elements of a page share one worker. */
let worker: Promise<WorkerAnalyzer> | null = null;

function box(part: string, name = part): HTMLElement {
  return make("div", { class: name, part });
}

/** The element. It is a class of its own only where there are elements. */
function checker(): CustomElementConstructor {
  return class extends HTMLElement {
    static readonly observedAttributes = ["target", "theme", "accept"];
    readonly #root = this.attachShadow({ mode: "open" });
    readonly #all = box("all");
    readonly #verdict = box("verdict");
    readonly #result = box("findings", "list");
    readonly #editor: DumpEditor;
    readonly #systemIsDark = matchMedia("(prefers-color-scheme: dark)");
    readonly #follow = (): void => this.#dress();
    #input = new TextInput(1, NAME, Content.of(""));
    #model: Shower | null = null;
    #running: AbortController | null = null;
    #timer: ReturnType<typeof setTimeout> | undefined;

    constructor() {
      super();
      // A page's policy on styles does not concern it.
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(style);
      this.#root.adoptedStyleSheets = [sheet];
      const field = box("input");
      const view = make("div", { class: "result" }, this.#verdict, this.#result);
      this.#all.append(field, view);
      // What stands between the element's tags, which a parser may add later, is the text that it begins with.
      const slot = document.createElement("slot");
      slot.hidden = true;
      slot.addEventListener("slotchange", () => this.#begin());
      this.#root.append(this.#all, slot);
      this.#editor = new DumpEditor(field, {
        edited: (_, content) => {
          this.#input = new TextInput(1, NAME, content);
          this.#later();
        },
        left: () => {},
        chosen: (at) => this.#choose(at),
        beyond: () => {},
        pastedLarge: () => this.#refuse(new InputError(NAME, "it is too large for an editor", "check it on the command line: tsmigrate check", null)),
      });
      this.#editor.show(this.#input, [this.#input]);
    }

    /** The text that is checked. */
    get value(): string {
      return this.#input.content.text;
    }

    set value(text: string) {
      this.#input = new TextInput(1, NAME, Content.of(text));
      this.#editor.show(this.#input, [this.#input]);
      this.#later(0);
    }

    connectedCallback(): void {
      this.#systemIsDark.addEventListener("change", this.#follow);
      this.attributeChangedCallback();
    }

    disconnectedCallback(): void {
      this.#systemIsDark.removeEventListener("change", this.#follow);
      clearTimeout(this.#timer);
      this.#running?.abort();
    }

    attributeChangedCallback(): void {
      this.#dress();
      if (this.isConnected && this.value) this.#later(0);
    }

    #begin(): void {
      const text = this.textContent ?? "";
      if (this.value === "" && text.trim() !== "") this.value = text;
    }

    #dress(): void {
      const theme = this.getAttribute("theme");
      this.#all.classList.toggle("dark", theme === null ? this.#systemIsDark.matches : theme === "dark");
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
      const input = this.#input;
      if (input.content.blank) return this.#clear();
      try {
        const analyzer = await (worker ??= loadWorker());
        const result = await analyzer.check([{ name: NAME, text: input.text }], { ...this.#options(), signal: running.signal });
        if (running.signal.aborted) return;
        this.#show(analyzer, result, input);
        const { verdict, decisions, findings, counts } = result.report;
        this.#tell("tsmigrate-result", { verdict, decisions, findings, counts });
        void result.free();
      } catch (error) {
        if (running.signal.aborted) return;
        this.#refuse(error);
      }
    }

    #tell(name: string, detail: unknown): void {
      this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
    }

    #refuse(error: unknown): void {
      this.#clear();
      const words = error instanceof InputError ? `${error.what}. Next: ${error.next}` : error instanceof Error ? error.message : String(error);
      draw(this.#verdict, [make("p", { class: "error", part: "error", role: "alert" }, words)]);
      this.#tell("tsmigrate-error", { error });
    }

    /** Shows nothing but the text. */
    #clear(): void {
      this.#model = null;
      this.#verdict.className = "nothing";
      draw(this.#verdict, []);
      draw(this.#result, []);
      this.#editor.mark(null, []);
    }

    #show(analyzer: WorkerAnalyzer, { report, words }: WorkerResult, input: TextInput): void {
      const rules = Object.fromEntries(analyzer.rules().map((rule) => [rule.id, rule]));
      const before = this.#model?.shown;
      const model = new Shower({ ...report, rules }, () => this.#draw(report, [verdict(words), decisions(model), losses(model), checked(words)], model), this.#root);
      const select = model.select;
      model.select = (at) => {
        select(at);
        this.#editor.select(at);
        this.#editor.reveal(at);
      };
      // What was searched for and opened stays while somebody types.
      if (before) model.shown = { ...before, selected: null, windows: new Map() };
      this.#model = model;
      model.show({ hidden: model.shown.hidden });
      const places = report.findings.map(({ range }) => range && { from: range.start.offset, to: range.end.offset });
      const marked: Marked = { report, places };
      this.#editor.mark(marked, [input]);
    }

    #draw({ verdict }: Report, top: Child[], model: Shower): void {
      this.#verdict.className = `verdict ${verdict}`;
      this.#verdict.dataset["verdict"] = verdict;
      draw(this.#verdict, top);
      draw(this.#result, [findings(model)]);
      for (const element of this.#all.querySelectorAll(`.result :is(${PARTS.map((part) => `.${part}`).join()})`)) {
        element.setAttribute("part", PARTS.filter((part) => element.classList.contains(part)).join(" "));
      }
    }

    /** A finding was chosen in the text. */
    #choose(at: number): void {
      const { model, editor } = { model: this.#model, editor: this.#editor };
      editor.select(at);
      model?.show({ selected: at });
    }
  };
}

/** Defines `<tsmigrate-checker>`, or an element of another name, unless it is defined. */
export function defineChecker(name = "tsmigrate-checker"): void {
  if (!customElements.get(name)) customElements.define(name, checker());
}
