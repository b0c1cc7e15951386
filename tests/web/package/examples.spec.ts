// The examples of the package's README, and other uses of it, as somebody who has installed it would run them.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "@playwright/test";
import { examples, test } from "../support/packed";
import { ROOT } from "../support/paths";

/** What an example prints. */
const PRINTS: Record<string, RegExp> = {
  "check.mjs": /^ready-after-rewrite\nschema\.sql:1:31 TSP-04 .*\nCREATE TABLE public\.t \(a int\);/,
  "errors.mjs": /custom format.*\nnext: .*pg_restore/,
  "stream.cjs": /^ready-after-rewrite\n$/,
  "worker.mjs": /^ready-after-rewrite .*CREATE ROLE app/,
};

for (const [name, prints] of Object.entries(PRINTS)) {
  test(`the README's ${name} runs`, ({ project }) => {
    project.write(name, examples().get(name) ?? "");
    const { code, output } = project.node(name);
    expect(output).toMatch(prints);
    expect(code).toBe(0);
  });
}

test("the README's step of a workflow annotates, and fails where something is to be decided", ({ project }) => {
  project.write("check-dump.mjs", examples().get("check-dump.mjs") ?? "");
  project.write("roles.sql", "CREATE ROLE shop;\n");
  project.write("schema.sql", "CREATE TABLE public.t (a int) TABLESPACE fast;\nALTER TABLE public.t OWNER TO shop;\n");
  const whole = project.node("check-dump.mjs", "roles.sql", "schema.sql");
  expect(whole.output).toContain("::error file=schema.sql,line=1,");
  expect(whole.code).toBe(0);
  expect(project.node("check-dump.mjs", "schema.sql").code).toBe(1);
});

test("its types are found by both kinds of module, and by bundlers", ({ project }) => {
  const use = `import { load, InputError, type Finding, type WorkerResult } from "tsmigrate-analyzer";
export async function use(text: string): Promise<Finding[]> {
  const analyzer = await load();
  const { findings, verdict } = analyzer.check([{ name: "a.sql", text }], { levels: { "EXT-05": "off" } });
  const known: "ready" | "ready-after-rewrite" | "needs-work" = verdict;
  const place: number | undefined = findings[0]?.range?.start.offset;
  // @ts-expect-error: there is no such option
  analyzer.check([{ name: "a.sql", text }], { acept: [known, place] });
  return findings;
}
export const isInput = (error: unknown): error is InputError => error instanceof InputError;
export const verdict = async (result: Promise<WorkerResult>): Promise<string> => (await result).verdict;
`;
  project.write("use.mts", use);
  project.write("use.cts", use);
  project.write("inline.mts", use.replace('"tsmigrate-analyzer"', '"tsmigrate-analyzer/inline"'));
  const common = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2023,dom,dom.asynciterable", "use.mts", "inline.mts"];
  for (const words of [["--module", "node16", "use.cts", ...common], ["--module", "esnext", "--moduleResolution", "bundler", ...common]]) {
    expect(project.tool("tsc", ...words)).toEqual({ code: 0, output: "" });
  }
});

test("a program for Node in one file has the module inside, or says what is missing", ({ project }) => {
  const program = `import { load } from "tsmigrate-analyzer/inline";
load().then((analyzer) => console.log(analyzer.check([{ name: "a.sql", text: "SELECT 1;" }]).verdict), (error) => console.log(error.message));\n`;
  project.write("inside.mjs", program);
  project.write("beside.mjs", program.replace("/inline", ""));
  const bundle = (name: string): string => {
    const made = project.tool("esbuild", name, "--bundle", "--platform=node", "--format=cjs", `--outfile=out/${name}.cjs`, "--log-level=error");
    expect(made).toEqual({ code: 0, output: "" });
    return project.node(`out/${name}.cjs`).output;
  };
  expect(bundle("inside.mjs")).toBe("ready\n");
  expect(bundle("beside.mjs")).toMatch(/tsmigrate\.wasm is not beside .*Next: .*tsmigrate-analyzer\/inline/);
});

test("it has what it needs, names no machine, and brings nothing else along", ({ project }) => {
  const about = JSON.parse(readFileSync(join(project.installed, "package.json"), "utf8")) as { version: string; dependencies?: object };
  const workspace = /^version = "(.*)"/m.exec(readFileSync(join(ROOT, "Cargo.toml"), "utf8"));
  expect(about.version).toBe(workspace?.[1]);
  expect(about.dependencies).toBeUndefined();
  expect(readdirSync(project.installed).sort()).toEqual(["LICENSE", "README.md", "dist", "package.json"]);
  for (const name of readdirSync(join(project.installed, "dist")).filter((name) => !name.endsWith(".wasm"))) {
    expect(readFileSync(join(project.installed, "dist", name), "utf8"), name).not.toMatch(/\/(root|home|work)\//);
  }
});
