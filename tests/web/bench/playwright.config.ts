// Times, one after the other: nothing else of ours runs then.
import { defineConfig } from "@playwright/test";
import tests from "../playwright.config";

const page = tests.projects?.find(({ name }) => name === "folder");

export default defineConfig({
  testDir: ".",
  testMatch: "*.bench.ts",
  workers: 1,
  timeout: 1_200_000,
  reporter: [["line"]],
  projects: [{ name: "bench", use: page?.use ?? {} }],
});
