// Numbers and text for people: the same as on the command line.

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

/** What a character that steers how text is shown is shown as: its picture, or its number, as on the command line. */
function shownAs(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  return code === 0x7f ? "\u2421" : `\\u{${code.toString(16)}}`;
}

/** Text of a dump: what would steer how it is shown, or is not seen at all, is shown itself (analyzer/src/clean.rs). */
export const seen = (text: string): string =>
  text.replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu,
    shownAs,
  );

/** The answer as the module says it (analyzer/src/report/words.rs). */
export interface Words {
  sign: string;
  title: string;
  sentence: string;
  /** Names, or none, and what is said of each. */
  checked: [string, string][];
}
