// Debian's Chromium: nothing is downloaded.
import { existsSync } from "node:fs";

/** Where the browser is: TSMIGRATE_CHROMIUM, else Debian's. */
export const CHROMIUM =
  process.env["TSMIGRATE_CHROMIUM"] ??
  ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync) ??
  "/usr/bin/chromium";
