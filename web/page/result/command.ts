// The command line that does the same, and the configuration file for what no option says.

import type { Catalogue, Settings } from "../engine/report";

/** A word as a shell reads it. */
export const shell = (word: string): string => (/^[\w\-./=:,+@%]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** The program that unpacks a file and keeps it, by the end of its name; it asks before it writes over another. */
const UNPACKERS: readonly [RegExp, string][] = [
  [/\.gz$/i, "gunzip -k"],
  [/\.zst$/i, "zstd -d"],
];

/** A file's name once it is unpacked. */
const unpackedName = (name: string): string => UNPACKERS.reduce((rest, [end]) => rest.replace(end, ""), name);

/** What unpacks the compressed ones of some files: the program reads text. */
function unpacking(names: readonly string[]): string {
  const commands = names.flatMap((name) => {
    const unpacker = UNPACKERS.find(([end]) => end.test(name))?.[1];
    return unpacker ? [`${unpacker} ${shell(name)} && `] : [];
  });
  return commands.join("");
}

/** The settings for the unpacked files: what stays as it is stands at a place of one of them. */
function unpackedSettings(settings: Settings, names: readonly string[]): Settings {
  const leave = settings.leave?.map((key) => {
    const name = names.find((one) => key.includes(`@${one}:`));
    return name === undefined ? key : key.replace(`@${name}:`, () => `@${unpackedName(name)}:`);
  });
  return leave ? { ...settings, leave } : settings;
}

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
export function command({ names: given, settings, remove, scripts }: Asked): string {
  const options = words(unpackedSettings(settings, given));
  const more = `${remove ? " --delete-removed" : ""}${scripts ? " --scripts scripts" : ""}${options}`;
  const names = given.map(unpackedName);
  const [name] = names;
  if (names.length === 1 && name !== undefined) {
    return `${unpacking(given)}tsmigrate rewrite ${shell(name)} -o ${shell(rewrittenName(name))}${more}`;
  }
  return `${unpacking(given)}tsmigrate rewrite ${names.map(shell).join(" ")} --output-dir rewritten${more}`;
}

/** The command that prints the same report. */
export const checkCommand = ({ names, settings }: Pick<Asked, "names" | "settings">): string =>
  `${unpacking(names)}tsmigrate check ${names.map((name) => shell(unpackedName(name))).join(" ")}${words(unpackedSettings(settings, names))}`;

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
