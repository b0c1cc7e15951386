// A finding and a fix as text, to be sent to somebody.

import { placeOf, type Finding } from "./classes";
import { changeOf } from "./lines";

/** All that is said of a finding. */
export function findingText(finding: Finding): string {
  const { rule, name, severity, object, message, server_error: error, why, help, fix, docs } = finding;
  const lines = [
    `${severity} ${rule} ${name}`,
    message,
    `  at: ${placeOf(finding)}${object ? ` (${object})` : ""}`,
    error && `  server: ERROR ${error.sqlstate}: ${error.text}`,
    error?.detail && `  detail: ${error.detail}`,
    error?.hint && `  hint: ${error.hint}`,
    why && `  why: ${why}`,
    help && `  what to do: ${help}`,
    fix && `  fix: ${fix.title}${fix.lost ? ` (lost: ${fix.lost})` : ""}`,
    docs && `  read more: ${docs}`,
  ];
  return `${lines.filter(Boolean).join("\n")}\n`;
}

/** The SQL that a fix puts in the place of the statement; null where it puts none, or where it is not shown. */
export function fixText(finding: Finding): string | null {
  const lines = (changeOf(finding) ?? []).filter(({ sign }) => sign !== "-");
  return lines.some(({ text }) => text.trim() !== "") ? `${lines.map(({ text }) => text).join("\n")}\n` : null;
}
