// Makes the packages for npm that have the program, as esbuild ships its own: one for each system, which npm installs where it
// fits, and `tsmigrate`, which starts it.
//
//   node runner/npm/pack.mjs TARGET PROGRAM FOLDER    the package of one of Rust's targets
//   node runner/npm/pack.mjs main FOLDER              the package tsmigrate
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const TOP = join(HERE, "../..");

/** Rust's targets with the names that Node has for their systems and processors. */
const SYSTEMS = {
  "x86_64-unknown-linux-musl": ["linux", "x64"],
  "aarch64-unknown-linux-musl": ["linux", "arm64"],
  "x86_64-apple-darwin": ["darwin", "x64"],
  "aarch64-apple-darwin": ["darwin", "arm64"],
  "x86_64-pc-windows-gnu": ["win32", "x64"],
};

const [, version] = /^version = "(.*)"/m.exec(readFileSync(join(TOP, "Cargo.toml"), "utf8"));
const { bin, engines, keywords, ...common } = { ...JSON.parse(readFileSync(join(HERE, "package.json"), "utf8")), version };

const folder = mkdtempSync(join(tmpdir(), "tsmigrate-npm-"));
const pack = (about, files, to) => {
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(about, null, 2)}\n`);
  for (const file of [...files, join(TOP, "LICENSE"), join(TOP, "README.md")]) copyFileSync(file, join(folder, basename(file)));
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  execFileSync(npm, ["pack", "--silent", "--pack-destination", resolve(to)], { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
};

const [target, ...words] = process.argv.slice(2);
try {
  if (target === "main") {
    const optionalDependencies = Object.fromEntries(Object.values(SYSTEMS).map(([os, cpu]) => [`${common.name}-${os}-${cpu}`, version]));
    pack({ ...common, keywords, engines, bin, optionalDependencies }, [join(HERE, "tsmigrate.cjs")], words[0]);
  } else {
    const [os, cpu] = SYSTEMS[target] ?? [];
    if (!os) throw new Error(`no package for npm has ${target}`);
    const [program, to] = words;
    // Yarn would leave it in an archive, from where nothing starts.
    const own = { os: [os], cpu: [cpu], preferUnplugged: true, files: [basename(program)] };
    pack({ ...common, name: `${common.name}-${os}-${cpu}`, description: `The program of the package tsmigrate, for ${os} on ${cpu}`, ...own }, [program], to);
  }
} finally {
  rmSync(folder, { recursive: true });
}
