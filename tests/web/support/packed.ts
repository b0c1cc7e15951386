// The package for npm as its users get it: packed, and installed into a project of its own.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test as base } from "@playwright/test";
import { ROOT } from "./paths";

export const SOURCE = join(ROOT, "web/package-src");
const TOOLS = join(ROOT, "web/node_modules");

export interface Ran {
  code: number | null;
  output: string;
}

/** A project that has the package installed, and nothing else. */
export class Project {
  readonly folder = mkdtempSync(join(tmpdir(), "tsmigrate-package-"));
  readonly installed = join(this.folder, "node_modules/tsmigrate-analyzer");

  constructor() {
    mkdirSync(this.installed, { recursive: true });
    const packed = execFileSync("npm", ["pack", "--silent", "--pack-destination", this.folder], { cwd: join(ROOT, "web/package"), encoding: "utf8" });
    execFileSync("tar", ["-xzf", join(this.folder, packed.trim()), "--strip-components=1", "-C", this.installed]);
    writeFileSync(join(this.folder, "package.json"), "{}\n");
  }

  write(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text);
    return path;
  }

  /** Copies an example of the package's sources. */
  copy(example: string): void {
    cpSync(join(SOURCE, "examples", example), this.folder, { recursive: true });
  }

  /** Makes a tool of web/node_modules resolvable, as a development dependency would be. */
  link(...tools: string[]): void {
    for (const tool of tools) symlinkSync(join(TOOLS, tool), join(this.folder, "node_modules", tool));
  }

  node(...words: string[]): Ran {
    return this.#run(process.execPath, words);
  }

  /** Runs the program of a tool in web/node_modules. */
  tool(name: string, ...words: string[]): Ran {
    return this.#run(join(TOOLS, ".bin", name), words);
  }

  #run(program: string, words: string[]): Ran {
    const { status, stdout, stderr } = spawnSync(program, words, { cwd: this.folder, encoding: "utf8" });
    return { code: status, output: stdout + stderr };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Tests with a project of their worker's. */
export const test = base.extend<object, { project: Project }>({
  project: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const project = new Project();
      await use(project);
      project.remove();
    },
    { scope: "worker" },
  ],
});

/** The examples of the package's README by their names: what follows `<!-- runs: NAME -->`. */
export function examples(): Map<string, string> {
  const text = readFileSync(join(SOURCE, "README.md"), "utf8");
  const blocks = text.matchAll(/<!-- runs: (\S+) -->\n```\w+\n([^]*?)```\n/g);
  return new Map(Array.from(blocks, ([, name, code]) => [name ?? "", code ?? ""]));
}
