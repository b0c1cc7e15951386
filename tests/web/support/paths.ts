// Where things are in a clone.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");
export const DIST = join(ROOT, "web/dist");
export const SINGLE_FILE = join(DIST, "tsmigrate-checker.html");
export const FIXTURES = join(ROOT, "tests/fixtures");
/** Dumps that belong to others: beside the clone where they are at hand. */
export const SHARED = join(ROOT, "../shared");
/** The native program, of the same sources. */
export const NATIVE = process.env["TSMIGRATE"] ?? join(process.env["CARGO_TARGET_DIR"] ?? join(ROOT, "target"), "debug/tsmigrate");

/** A fixture's bytes. */
export const fixture = (path: string): Buffer => readFileSync(join(FIXTURES, path));

/** All SQL files in a folder and below it, in the order of their paths; none where the folder is not there. */
export function sqlFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .map((path) => join(folder, String(path)))
    .filter((path) => path.endsWith(".sql") && statSync(path).isFile())
    .sort();
}

/** A path as messages show it. */
export const shown = (path: string): string => relative(ROOT, path);
