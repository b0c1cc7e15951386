// The command line that does the same, and the configuration file for what no option says.

import type { Catalogue, Settings } from "../engine/report";

/** A word as a shell reads it. */
const shell = (word: string): string => (/^[\w\-./=:,+@%]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** The name of a file as a shell reads it, and no program for an option. */
const shellFile = (name: string): string => shell(name.startsWith("-") ? `./${name}` : name);

/** A file's name once it is unpacked: the program reads it as it is. */
const unpackedName = (name: string): string => name.replace(/\.(gz|zst)$/i, "");

/** The name of a rewritten dump. */
export function rewrittenName(name: string): string {
  const stem = unpackedName(name);
  return stem.endsWith(".sql") ? `${stem.slice(0, -4)}.rewritten.sql` : `${stem}.rewritten.sql`;
}

/** The settings as words of a command: those that options can say. */
function words(settings: Settings): string {
  const { accept = [], leave = [], database, hypertables = [], targetVersion, timescaledb } = settings;
  let words = "";
  if (accept.length > 0) words += ` --accept ${accept.join(",")}`;
  if (leave.length > 0) words += ` --leave ${shell(leave.join(","))}`;
  if (database) words += ` --database ${shell(database)}`;
  for (const table of hypertables) words += ` --hypertable ${shell(table)}`;
  if (targetVersion) words += ` --target-version ${targetVersion}`;
  if (timescaledb) words += ` --target-timescaledb ${shell(timescaledb)}`;
  return `${words} ${needsFile(settings) ? "--config tsmigrate.toml" : "--no-config"}`;
}

/** True where a configuration file has to say a part of it. */
export const needsFile = (settings: Settings): boolean => changesExtensions(settings) || (settings.levels ?? []).length > 0;

const changesExtensions = ({ extensionList, take = [], refuse = [] }: Settings): boolean =>
  extensionList !== undefined || take.length > 0 || refuse.length > 0;

/** What the command line is made of. */
export interface Asked {
  names: readonly string[];
  settings: Settings;
  /** Statements that are taken out are deleted. */
  remove: boolean;
  /** The report has scripts. */
  scripts: boolean;
}

/** The command that writes the same dumps as the page. */
export function command({ names, settings, remove, scripts }: Asked): string {
  const more = `${remove ? " --delete-removed" : ""}${scripts ? " --scripts scripts" : ""}${words(settings)}`;
  const [name] = names;
  if (names.length === 1 && name !== undefined) return `tsmigrate rewrite ${shellFile(name)} -o ${shellFile(rewrittenName(name))}${more}`;
  return `tsmigrate rewrite ${names.map(shellFile).join(" ")} --output-dir rewritten${more}`;
}

/** The command that prints the same report. */
export const checkCommand = ({ names, settings }: Pick<Asked, "names" | "settings">): string =>
  `tsmigrate check ${names.map(shellFile).join(" ")}${words(settings)}`;

/** A string of TOML: those of JSON are, but for a control character that JSON leaves as it is. */
const quoted = (text: string): string => JSON.stringify(text).replaceAll("\x7f", "\\u007F");

const list = (names: readonly string[]): string => `[${names.map(quoted).join(", ")}]`;

/** What stands in `tsmigrate.toml`, where options cannot say it. */
export function configuration(settings: Settings, catalogue: Catalogue): string {
  const { extensionList, take = [], refuse = [], levels = [] } = settings;
  const chosen = catalogue.extensionLists.find(({ name }) => name === extensionList);
  const lines: string[] = [];
  if (levels.length > 0) lines.push("[severity]", ...levels.map(([rule, level]) => `${quoted(rule)} = ${quoted(level)}`));
  if (changesExtensions(settings)) lines.push(...(lines.length > 0 ? [""] : []), "[target.extensions]");
  if (chosen) lines.push(`# ${chosen.source}, as of ${chosen.date}`, `replace = ${list(chosen.extensions)}`);
  if (take.length > 0) lines.push(`add = ${list(take)}`);
  if (refuse.length > 0) lines.push(`remove = ${list(refuse)}`);
  return `${lines.join("\n")}\n`;
}
