// Large files pass through in pieces: memory depends on what is found, not on what is read.
import { expect, test } from "@playwright/test";
import { instance } from "../support/module";

const MEGABYTE = 1 << 20;

test("50 MB of COPY data pass through the check and the rewrite in little memory", async () => {
  const module = await instance();
  const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
  const head = utf8("CREATE TABLE public.t (a int, b text) TABLESPACE fast;\nCOPY public.t (a, b) FROM stdin;\n");
  const row = "12345\tsome text that a row has, with ünïcode\n";
  const piece = utf8(row.repeat(Math.floor(MEGABYTE / row.length)));
  const tail = utf8("\\.\nCREATE INDEX i ON public.t (a) TABLESPACE fast;\n");

  const checker = new module.Checker("{}");
  checker.begin("data.sql");
  checker.feed(head);
  for (let fed = 0; fed < 50; fed++) checker.feed(piece);
  checker.feed(tail);
  checker.end();
  const checked = checker.finish();
  const { findings } = JSON.parse(checked.view()) as { findings: { rule: string; line: number }[] };
  const lines = 2 + 50 * (piece.length / utf8(row).length) + 2;
  expect(findings).toMatchObject([
    { rule: "TSP-04", line: 1 },
    // As it is, the table is not made.
    { rule: "DEP-02", line: 2 },
    { rule: "TSP-04", line: lines },
  ]);

  const rewriting = checked.rewriting(0, false);
  let out = rewriting.feed(head).length;
  for (let fed = 0; fed < 50; fed++) out += rewriting.feed(piece).length;
  out += rewriting.feed(tail).length;
  out += rewriting.finish().length;
  expect(out).toBe(head.length + 50 * piece.length + tail.length - 2 * " TABLESPACE fast".length);
  expect(module.memory.buffer.byteLength).toBeLessThan(32 * MEGABYTE);
});
