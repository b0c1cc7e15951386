// Everything about the browser checker: the module in Node, the module against the native program, the page in Chromium.
import { defineConfig } from "@playwright/test";
import type { Options } from "./support/checker";
import { CHROMIUM } from "./support/chromium";

const chromium = {
  browserName: "chromium" as const,
  launchOptions: {
    executablePath: CHROMIUM,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      // What the browser would ask of the network by itself.
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
    ],
  },
};

export default defineConfig<Options>({
  outputDir: "test-results",
  fullyParallel: true,
  forbidOnly: true,
  retries: 0,
  // Guards against a page that hangs: nothing is measured with them, and a busy machine keeps them.
  timeout: 240_000,
  expect: { timeout: 60_000 },
  reporter: [["list"]],
  use: { screenshot: "only-on-failure", trace: "off" },
  projects: [
    { name: "module", testDir: "module" },
    { name: "parity", testDir: "parity" },
    // The package for npm, in Node and in pages of others.
    { name: "package", testDir: "package" },
    { name: "embedded", testDir: "embedded", use: chromium },
    // The page as a static host serves it: everything.
    { name: "folder", testDir: "specs", use: { ...chromium, form: "folder" } },
    // The page as one file, opened from a disk: what is marked @both.
    { name: "file", testDir: "specs", grep: /@both/, use: { ...chromium, form: "file" } },
  ],
});
