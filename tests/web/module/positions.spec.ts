// Between a dump's bytes and an editor's text.
import { readFileSync } from "node:fs";
import { expect, test } from "@playwright/test";
import { instance } from "../support/module";
import { FIXTURES, SHARED, shown, sqlFiles } from "../support/paths";

const MADE = "a\u00e9\u20ac\u{1f418}\r\n\u0000\ufeff\u{10ffff}z";

/** Files with characters of several bytes that are all UTF-8. */
function texts(): [string, Buffer][] {
  const files = [FIXTURES, `${SHARED}/corpus`, `${SHARED}/dumps`].flatMap(sqlFiles);
  const read = files.map((path): [string, Buffer] => [shown(path), readFileSync(path)]);
  return [["a text of one to four bytes a character", Buffer.from(MADE)], ...read.filter(([, bytes]) => isOther(bytes))];
}

const isOther = (bytes: Buffer): boolean => {
  const text = bytes.toString("utf8");
  return text.length !== bytes.length && Buffer.from(text, "utf8").equals(bytes);
};

test("a byte's place is its character's place in a JavaScript string", async () => {
  const module = await instance();
  const all = texts();
  expect(all.length).toBeGreaterThan(2);
  for (const [name, bytes] of all) {
    const text = bytes.toString("utf8");
    expect(module.decode(bytes) === text, name).toBe(true);
    const offsets: number[] = [];
    const units: number[] = [];
    let offset = 0;
    let unit = 0;
    for (const character of text) {
      offsets.push(offset);
      units.push(unit);
      offset += Buffer.byteLength(character);
      unit += character.length;
    }
    offsets.push(offset);
    units.push(unit);
    expect(Buffer.from(module.positions(bytes, Uint32Array.from(offsets)).buffer).equals(Buffer.from(Uint32Array.from(units).buffer)), name).toBe(true);
  }
});

test("a byte that is not UTF-8 takes one place", async () => {
  const module = await instance();
  const bytes = Uint8Array.of(0x61, 0xfc, 0xc3, 0x62, 0xf0, 0x9f, 0x90);
  expect(module.decode(bytes)).toBe("a\ufffd\ufffdb\ufffd\ufffd\ufffd");
  expect([...module.positions(bytes, Uint32Array.of(0, 1, 2, 3, 4, 5, 6, 7, 99))]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 7]);
});
