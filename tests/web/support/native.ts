// The native program, asked the same as the module.
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Input, Settings } from "./module";
import { NATIVE } from "./paths";

export interface Answer {
  /** 0 ready, 1 not as it is, 2 refused. */
  code: number;
  output: Buffer;
  said: string;
}

/** The settings in the words of the command line. */
export function words(settings: Settings): string[] {
  const { targetVersion, timescaledb, accept = [], leave = [], database, hypertables = [], ...others } = settings;
  if (Object.keys(others).length > 0) throw new Error(`no word of the command line says ${Object.keys(others).join(", ")}`);
  return [
    ...(targetVersion === undefined ? [] : [`--target-version=${targetVersion}`]),
    ...(timescaledb === undefined ? [] : [`--target-timescaledb=${timescaledb}`]),
    ...(database === undefined ? [] : [`--database=${database}`]),
    ...accept.map((rule) => `--accept=${rule}`),
    ...leave.map((fix) => `--leave=${fix}`),
    ...hypertables.map((table) => `--hypertable=${table}`),
  ];
}

function run(folder: string, words: string[]): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { cwd: folder, encoding: "buffer" as const, maxBuffer: 1 << 30, env: { ...process.env, NO_COLOR: "1" } };
    const child = execFile(NATIVE, words, options, (error, output, said) => {
      if (error && typeof error.code !== "number") reject(new Error(`${NATIVE} did not run: ${error.message}`));
      else resolve({ code: error ? Number(error.code) : 0, output, said: said.toString() });
    });
    child.stdin?.end();
  });
}

/** A folder with the inputs under their names, for as long as it is used. */
export async function withFiles<T>(inputs: Input[], use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "tsmigrate-parity-"));
  try {
    for (const { name, bytes } of inputs) writeFileSync(join(folder, name), bytes);
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** `tsmigrate check`: the JSON, and reports of other formats by their names. */
export async function nativeCheck(folder: string, inputs: Input[], settings: Settings, formats: string[]): Promise<Answer & { reports: Map<string, Buffer> }> {
  const reports = formats.map((format) => [format, join(folder, `.report-${format}`)] as const);
  const answer = await run(folder, [
    "check",
    "--no-config",
    "--format=json",
    ...reports.map(([format, path]) => `--report=${format}=${path}`),
    ...words(settings),
    ...inputs.map(({ name }) => name),
  ]);
  const read = answer.code === 2 ? [] : reports.map(([format, path]) => [format, readFileSync(path)] as const);
  return { ...answer, reports: new Map(read) };
}

/** `tsmigrate rewrite`: the rewritten inputs. */
export async function nativeRewrite(folder: string, inputs: Input[], settings: Settings, remove: boolean): Promise<Buffer[]> {
  const removing = remove ? ["--delete-removed"] : [];
  const names = inputs.map(({ name }) => name);
  const out = join(folder, remove ? ".deleted" : ".rewritten");
  mkdirSync(out);
  const { code, said } = await run(folder, ["rewrite", "--no-config", "--quiet", `--output-dir=${out}`, ...removing, ...words(settings), ...names]);
  if (code === 2) throw new Error(said);
  return names.map((name) => readFileSync(join(out, name)));
}
