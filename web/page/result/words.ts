// The words and numbers of reports for people: the same as on the command line (analyzer/src/report/words.rs).

import type { InputReport, Report } from "../engine/report";

/** A number with its thousands apart. */
export const thousands = (number: number): string => String(number).replace(/\B(?=(\d{3})+$)/g, ",");

/** `error` or `errors`. */
export const plural = (number: number, noun: string): string => (number === 1 ? noun : `${noun}s`);

/** `1 error`, `2,000 errors`. */
export const count = (number: number, noun: string): string => `${thousands(number)} ${plural(number, noun)}`;

/** A number of bytes: `12.5 MB`. */
export function bytes(number: number): string {
  if (number < 1000) return `${number} B`;
  let unit = 1000;
  for (const name of ["kB", "MB", "GB"]) {
    if (number < unit * 1000) return `${(Math.floor((number * 10) / unit) / 10).toFixed(1)} ${name}`;
    unit *= 1000;
  }
  return `${(Math.floor((number * 10) / unit) / 10).toFixed(1)} TB`;
}

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Text of a dump: what would steer its direction, or is not seen at all, is shown as a mark. */
export const seen = (text: string): string =>
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");

const TITLES = {
  ready: { sign: "✓", title: "Ready", known: "No known incompatibility" },
  "ready-after-rewrite": { sign: "✓", title: "Ready after a rewrite", known: "No known incompatibility after a rewrite" },
  "needs-work": { sign: "✗", title: "Needs work", known: "Needs work" },
} as const;

/** The verdict in a few words. "Ready" is only said where everything was judged. */
export function verdictTitle({ verdict, decisions, not_judged }: Report): { sign: string; title: string } {
  const { sign, title, known } = TITLES[verdict];
  if (verdict === "needs-work") return { sign, title: `Needs ${count(decisions.length, "decision")}` };
  return { sign, title: not_judged.length > 0 ? known : title };
}

/** What the verdict means here, in one sentence. */
export function sentence({ verdict, counts, not_judged }: Report): string {
  const open = not_judged.map(({ what }) => what).join("; ");
  switch (verdict) {
    case "ready":
      return open ? `${open}.` : "no statement fails on the target.";
    case "ready-after-rewrite": {
      const [fail, all] = counts.error === 1 ? ["statement fails", "it"] : ["statements fail", "all of them"];
      return `as it is, ${thousands(counts.error)} ${fail}; the rewrite solves ${all}${open ? `; ${open}` : ""}.`;
    }
    case "needs-work":
      return `${thousands(counts.unsolved)} ${counts.unsolved === 1 ? "error remains" : "errors remain"} that the rewrite does not solve by itself.`;
  }
}

/** What was not judged, a line for each kind, with its first place. */
export function notJudged({ not_judged }: Report): string[] {
  return not_judged.map(({ what, place: { file, line, column } }) => `not judged: ${what} (${line === 0 ? file : `${file}:${line}:${column}`})`);
}

/** What an input is: `173.3 kB, 1,422 statements, from PostgreSQL 14.0, written by pg_dump 14.3`. */
export function aboutInput(input: InputReport): string {
  const words = [bytes(input.bytes), count(input.statements, "statement")];
  if (input.server_version) words.push(`from PostgreSQL ${input.server_version}`);
  if (input.dump_version) words.push(`written by pg_dump ${input.dump_version}`);
  return seen(words.join(", "));
}

/** What the target is, in a few words. */
export function aboutTarget({ target }: Report): string {
  const list = target.extension_list ? `, extensions as of ${target.extension_list.date}` : "";
  const changes = [
    ...target.added_extensions.map((name) => `with ${name}`),
    ...target.refused_extensions.map((name) => `without ${name}`),
  ];
  return seen(`${target.name}, PostgreSQL ${target.version}${list}${changes.length > 0 ? `; ${changes.join(", ")}` : ""}`);
}
