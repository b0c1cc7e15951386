// The page in a test: `import { expect, test } from "../support/checker"`, and a `checker` to act on.
//
// Every test fails where a request left the page, where the page wrote an error to the console, or where a script threw.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { AxeBuilder } from "@axe-core/playwright";
import { test as base, expect, type Download, type Locator, type Page } from "@playwright/test";
import { DIST, SINGLE_FILE } from "./paths";
import { host, type Host } from "./server";

export { expect };

/** A file for the page. */
export interface Dropped {
  name: string;
  bytes: string | Uint8Array;
}

const bufferOf = (bytes: string | Uint8Array): Buffer => (typeof bytes === "string" ? Buffer.from(bytes) : Buffer.from(bytes));

/** What was seen for a moment only: see `record`. */
interface Recorded {
  phases: string[];
  said: Set<string>;
}

/** Keeps what the page shows for a moment: a test that looks later knows of it all the same. */
function record(): void {
  if ("recorded" in window) return;
  const recorded: Recorded = { phases: [], said: new Set() };
  Object.assign(window, { recorded });
  const look = (): void => {
    const phase = document.querySelector("section.result")?.getAttribute("data-phase");
    if (phase && phase !== recorded.phases.at(-1)) recorded.phases.push(phase);
    for (const { textContent } of document.querySelectorAll("[aria-live], [role=status], [role=alert]")) {
      if (textContent) recorded.said.add(textContent);
    }
  };
  const attributeFilter = ["data-phase"];
  new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter });
}

/** Keeps what workers are asked from them, from the first question of a kind on, until `window.release()`. */
function holding(kind: string): void {
  let isHeld = true;
  const kept: (() => void)[] = [];
  const release = (): void => {
    isHeld = false;
    for (const post of kept.splice(0)) post();
  };
  Object.assign(window, { release });
  window.Worker = class extends Worker {
    override postMessage(message: { op: string }): void {
      if (isHeld && (message.op === kind || kept.length > 0)) kept.push(() => super.postMessage(message));
      else super.postMessage(message);
    }
  };
}

/** The page and what a person does there. */
export class Checker {
  /** Requests that left the page: nothing may be here. */
  readonly left: string[] = [];
  /** Those of them that somebody answered. */
  readonly answered: string[] = [];
  /** What the page wrote to the console as an error, and what it threw. */
  readonly errors: string[] = [];
  /** The test itself tries to send something, and the page's policy refuses it. */
  isTried = false;

  constructor(
    readonly page: Page,
    readonly address: string,
  ) {
    const own = new URL(".", address).href;
    const isForeign = (url: string): boolean => !url.startsWith(own) && !/^(blob|data):/.test(url);
    page.context().on("request", (request) => {
      if (isForeign(request.url())) this.left.push(`${request.method()} ${request.url()}`);
    });
    page.context().on("response", (response) => {
      if (isForeign(response.url())) this.answered.push(response.url());
    });
    page.on("console", (message) => {
      if (message.type() === "error") this.errors.push(message.text());
    });
    page.on("pageerror", (error) => this.errors.push(String(error)));
  }

  /** Opens the page; it has painted, and the module may be under way still. */
  async open(fragment = ""): Promise<void> {
    await this.page.addInitScript(record);
    await this.page.goto(this.address + fragment);
    await expect(this.result).toBeVisible();
  }

  /** Holds what a worker is asked, from the first question of a kind on: start, check, read. Before the page is opened. */
  async hold(kind: string): Promise<void> {
    await this.page.addInitScript(holding, kind);
  }

  /** Lets workers hear what was held. */
  async release(): Promise<void> {
    await this.page.evaluate(() => (window as unknown as { release: () => void }).release());
  }

  /** The dumps. */
  get input(): Locator {
    return this.page.locator("section.input");
  }

  /** The verdict, the findings, the rewrite, what to take along. */
  get result(): Locator {
    return this.page.locator("section.result");
  }

  /** Finding rows of groups that are open. */
  get findings(): Locator {
    return this.result.locator("li.finding");
  }

  /** Every phase since the page was opened. */
  phases(): Promise<string[]> {
    return this.page.evaluate(() => (window as unknown as { recorded: Recorded }).recorded.phases);
  }

  /** Waits until the page has said something to those who do not see it, be it for a moment. */
  async said(words: string | RegExp): Promise<void> {
    const said = (): Promise<string[]> => this.page.evaluate(() => [...(window as unknown as { recorded: Recorded }).recorded.said]);
    await expect.poll(said).toContainEqual(expect.stringMatching(words));
  }

  /** Waits until the page is in a phase that stays: empty, checked, unfinished, refused, cancelled, crashed. */
  async phase(phase: string, timeout?: number): Promise<void> {
    await expect(this.result).toHaveAttribute("data-phase", phase, { timeout });
  }

  /** Waits for a verdict: ready, ready-after-rewrite, needs-work. */
  async verdict(verdict: string, timeout?: number): Promise<void> {
    await expect(this.result.locator("[data-verdict]")).toHaveAttribute("data-verdict", verdict, { timeout });
    await this.phase("checked", timeout);
  }

  /** Pastes text as with Ctrl+V outside of any field. */
  async paste(text: string): Promise<void> {
    await this.page.evaluate((text) => {
      const data = new DataTransfer();
      data.setData("text/plain", text);
      document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
    }, text);
  }

  /** Types into the editor, at the end. */
  async type(text: string): Promise<void> {
    await this.editor.click();
    await this.page.keyboard.press("Control+End");
    await this.page.keyboard.type(text);
  }

  /** The editor's text. */
  get editor(): Locator {
    return this.input.locator(".cm-content");
  }

  /** Drops files onto the page. */
  async drop(...files: Dropped[]): Promise<void> {
    const packed = files.map(({ name, bytes }) => ({ name, base64: bufferOf(bytes).toString("base64") }));
    await this.page.evaluate((packed) => {
      const data = new DataTransfer();
      for (const { name, base64 } of packed) {
        data.items.add(new File([Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))], name));
      }
      for (const type of ["dragenter", "dragover", "drop"]) {
        document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
      }
    }, packed);
  }

  /** Opens files as with the page's button: paths, or names with bytes. */
  async openFiles(...files: (string | Dropped)[]): Promise<void> {
    const picker = this.page.locator('input[type="file"]').first();
    if (files.every((file) => typeof file === "string")) return picker.setInputFiles(files);
    await picker.setInputFiles(
      files.map((file) => {
        if (typeof file === "string") throw new Error("paths and bytes cannot be mixed");
        return { name: file.name, mimeType: "application/sql", buffer: bufferOf(file.bytes) };
      }),
    );
  }

  /** Opens the first sample. */
  async openSample(): Promise<void> {
    await this.page.getByRole("button", { name: /sample/i }).first().click();
  }

  /** Does what starts a download, and gives its name and bytes. */
  async download(act: () => Promise<void>): Promise<{ name: string; bytes: Buffer }> {
    const [download] = await Promise.all([this.page.waitForEvent("download") as Promise<Download>, act()]);
    return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
  }

  /** What axe holds against the page: WCAG 2.2 A and AA, or these of its rules alone. */
  async axe(rules?: string[]): Promise<string[]> {
    // Colours on their way to others are nobody's; a cursor blinks for ever.
    await this.page.evaluate(() => {
      const ending = document.getAnimations().filter(({ effect }) => effect?.getComputedTiming().iterations !== Infinity);
      return Promise.allSettled(ending.map((animation) => animation.finished));
    });
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const axe = new AxeBuilder({ page: this.page });
    const { violations } = await (rules ? axe.withRules(rules) : axe.withTags(tags)).analyze();
    return violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map((node) => `${node.target.join(" ")} (${node.any[0]?.message ?? ""})`).join("; ")}`);
  }
}

export interface Options {
  /** The page as a folder on a web server, or as one file from a disk. */
  form: "folder" | "file";
}

export const test = base.extend<Options & { checker: Checker }, { site: Host }>({
  form: ["folder", { option: true }],
  site: [
    async ({}, use) => {
      const site = await host(DIST);
      await use(site);
      await site.close();
    },
    { scope: "worker" },
  ],
  checker: async ({ page, form, site }, use) => {
    const checker = new Checker(page, form === "file" ? pathToFileURL(SINGLE_FILE).href : site.url);
    await use(checker);
    const own = checker.errors.filter((error) => !checker.isTried || !/Content Security Policy|Fetch API cannot load/.test(error));
    expect(checker.isTried ? checker.answered : checker.left, "requests that left the page").toEqual([]);
    expect(own, "errors in the console").toEqual([]);
  },
});
