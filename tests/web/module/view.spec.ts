// The result view of reports in HTML, which is committed as it is built: cargo needs no npm.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@playwright/test";
import { ROOT } from "../support/paths";

const BUILT = [
  "web/view/schema.d.ts",
  "analyzer/src/report/view/view.js",
  "analyzer/src/report/view/view.js.sha256",
  "analyzer/src/report/view/view.css",
  "analyzer/src/report/view/view.css.sha256",
  "runner/src/report/page.css",
  "runner/src/report/page.css.sha256",
];

test("what is committed of the view is what its sources make", ({}, info) => {
  const folder = info.outputPath("built");
  execFileSync("node", [join(ROOT, "web/view/build.mjs"), folder]);
  for (const path of BUILT) {
    const [committed, built] = [ROOT, folder].map((root) => readFileSync(join(root, path), "utf8"));
    expect(built === committed, `${path} is not what web/view makes: run node web/view/build.mjs`).toBe(true);
  }
});
