// What becomes of a finding, in a word and in words.

import type { Finding } from "../engine/types";
import { choiceOf } from "../../view/classes";

/** `lost`: the rewrite fixes it, and something is lost with it that the person accepted. */
export type Fate = "open" | "solved" | "lost" | "allowed";

export function fateOf(finding: Finding): Fate {
  if (finding.allowed !== null) return "allowed";
  if (!finding.solved) return "open";
  // A safe fix loses nothing that the target could have. Without a fix of its own, a statement is left out.
  const { fix } = finding;
  return fix === null || (fix.safety === "review" && fix.lost) ? "lost" : "solved";
}

/** What has become of it, or what is to be done; empty where there is nothing to do. */
export function fateWords(finding: Finding): string {
  switch (fateOf(finding)) {
    case "allowed":
      return "allowed";
    case "solved":
      return "fixed";
    case "lost":
      return finding.fix === null ? "left out" : "fixed, with a loss";
    case "open":
      if (choiceOf(finding) === "safe") return "fix off";
      if (finding.fix !== null && choiceOf(finding) === "review") return finding.fix.lost ? "fix off, with a loss" : "fix off";
      return finding.severity === "error" ? "by hand" : "";
  }
}
