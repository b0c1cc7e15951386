// Files of other programs that are no dump of PostgreSQL: each gets one answer in place of an error for every statement.

/** What a file is, and what to do in its place. */
export interface Foreign {
  what: string;
  next: string;
}

/** So many bytes tell what a file is. */
export const HEAD = 16 << 10;

const DUMP = "dump the PostgreSQL database with pg_dump --schema-only";
const MOVE = "load it into PostgreSQL first (pgloader does that), then dump that database with pg_dump --schema-only";

/** The first that fits counts. */
const KINDS: readonly [RegExp, Foreign][] = [
  [/^SQLite format 3\0/, { what: "this is a database of SQLite, not a dump of PostgreSQL", next: MOVE }],
  [/^\s*<(!doctype|html|\?xml)\b/i, { what: "this is a web page or XML, not a dump", next: DUMP }],
  [/^\s*(\{\s*("|\})|\[\s*(\{|\[|"|\d|\]))/, { what: "this is JSON, not a dump", next: DUMP }],
  [
    /^-- (MySQL|MariaDB) dump |^\/\*!\d{5} SET |^\) ENGINE\s*=\s*\w+|^\s*`\w+` \w+/m,
    { what: "this is a dump of MySQL or MariaDB, not of PostgreSQL", next: MOVE },
  ],
  [
    /^\s*SET ANSI_NULLS (ON|OFF)|^\s*SET QUOTED_IDENTIFIER ON|^\/\*{6} Object: |^GO\s*$|^USE \[\w+\]|^CREATE TABLE \[\w+\]\./im,
    { what: "this is a script of SQL Server (T-SQL), not of PostgreSQL", next: MOVE },
  ],
  [/^PRAGMA foreign_keys\s*=\s*OFF;/im, { what: "this is a dump of SQLite, not of PostgreSQL", next: MOVE }],
  [/^\s*(rem|prompt) .*\n(.*\n){0,40}.*\bVARCHAR2\b|^\s*CREATE TABLE "\w+"\."\w+"[^;]*\bVARCHAR2\b/im, { what: "this is a script of Oracle, not of PostgreSQL", next: MOVE }],
];

/** A mark that only dumps of PostgreSQL have: what stands behind it, in a comment or a row, is its own affair. */
const OURS = /^-- PostgreSQL database( cluster)? dump/m;

/** What a file is by its beginning, where it is certainly no dump of PostgreSQL. */
export function foreign(head: string): Foreign | null {
  if (OURS.test(head)) return null;
  return KINDS.find(([sign]) => sign.test(head))?.[1] ?? null;
}
