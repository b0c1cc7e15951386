import { untracked, useSignalEffect } from "@preact/signals";
import { findings } from "../../view/findings";
import { reveal } from "../../view/list";
import { groups } from "../result/view";
import { selected } from "../state";
import { Drawn } from "./drawn";
import { model } from "./model";

/** All findings, as the result view draws them. What is selected elsewhere is brought into sight. */
export function Findings() {
  useSignalEffect(() => {
    const at = selected.value;
    void groups.value;
    if (at === null) return;
    untracked(() => reveal(model, at));
    requestAnimationFrame(() => document.getElementById(`finding-${at}`)?.scrollIntoView({ block: "nearest" }));
  });
  return <Drawn of={() => findings(model)} />;
}
