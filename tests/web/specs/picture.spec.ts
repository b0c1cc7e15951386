// The README's picture. UPDATE_PICTURE=1 takes it anew: npx playwright test --project=folder picture
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "../support/checker";
import { ROOT } from "../support/paths";

const PICTURE = join(ROOT, "web/picture.png");

/** Width and height, which a PNG file has at its bytes 16 to 24. */
const sizeOf = (png: Buffer): [number, number] => [png.readUInt32BE(16), png.readUInt32BE(20)];

test.use({ viewport: { width: 1360, height: 860 }, colorScheme: "light" });

test("the README's picture is one of the page with its sample", async ({ checker }) => {
  await checker.open();
  await checker.openSample();
  await checker.phase("checked");
  await expect(checker.findings.first()).toBeVisible();
  await checker.page.mouse.move(0, 0);
  const taken = await checker.page.screenshot({ animations: "disabled", caret: "hide" });
  if (process.env["UPDATE_PICTURE"]) writeFileSync(PICTURE, taken);
  expect(existsSync(PICTURE), "UPDATE_PICTURE=1 takes it").toBe(true);
  expect(sizeOf(readFileSync(PICTURE))).toEqual(sizeOf(taken));
});
