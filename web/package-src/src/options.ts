// What a check is done with.

import { OptionsError } from "./errors";
import type { Level } from "./types";

/** The choices of a check, all of them optional. The names are those of the command line's options. */
export interface CheckOptions {
  /** PostgreSQL's major version on the service. */
  targetVersion?: number;
  /** TimescaleDB's version on the service, such as "2.19.3". */
  timescaledb?: string;
  /** The name of one of the published lists of extensions; the newest counts where it is left out. */
  extensionList?: string;
  /** Extensions that the service has besides. */
  addExtensions?: readonly string[];
  /** Extensions that the service refuses, whatever the list says. */
  refuseExtensions?: readonly string[];
  /** Rules (ids or names) whose losses are accepted. */
  accept?: readonly string[];
  /** Fixes that are not applied: `RULE`, `RULE@LINE` or `RULE@FILE:LINE`. */
  leave?: readonly string[];
  /** What rules (ids, names or families such as "EXT") count as. */
  levels?: Readonly<Record<string, Level>>;
  /** Of a dump of a whole cluster, the database to keep. */
  database?: string;
  /** Tables to restore as hypertables: `schema.table:column` or `schema.table:column:interval`. */
  hypertables?: readonly string[];
  /** The report has so many findings at most: of each rule the first ones. Counts and decisions are those of all. */
  maxFindings?: number;
  /** Keep what the next check of nearly the same texts can use: for editors. It costs up to 320 MB. */
  cache?: boolean;
}

const KNOWN: readonly (keyof CheckOptions)[] = [
  "targetVersion",
  "timescaledb",
  "extensionList",
  "addExtensions",
  "refuseExtensions",
  "accept",
  "leave",
  "levels",
  "database",
  "hypertables",
  "maxFindings",
  "cache",
];

/** The options as the module reads them (web/src/settings.rs). */
export function settingsOf(options: CheckOptions): string {
  const unknown = Object.keys(options).find((key) => !(KNOWN as readonly string[]).includes(key));
  if (unknown !== undefined) throw new OptionsError(`There is no option ${unknown}. There are ${KNOWN.join(", ")}.`);
  const { addExtensions: take, refuseExtensions: refuse, levels, maxFindings, cache: _, ...same } = options;
  if (maxFindings !== undefined && !(Number.isInteger(maxFindings) && maxFindings >= 0)) {
    throw new OptionsError(`maxFindings is ${maxFindings}: it has to be a whole number from 0.`);
  }
  return JSON.stringify({ ...same, take, refuse, levels: levels && Object.entries(levels) });
}
