// The result view in a report: what stands in the page as JSON is drawn into its parts. Nothing is loaded or sent.

import { copyButton } from "./controls";
import { decisions, losses } from "./decisions";
import { draw, type Child } from "./dom";
import { findings } from "./findings";
import { Shower, type Data } from "./shower";

/** Findings that are drawn for paper. */
const ON_PAPER = 1000;

function start(data: Data): void {
  const parts: [string, () => Child][] = [
    ["decisions", () => decisions(model)],
    ["lost", () => losses(model)],
    ["findings", () => findings(model)],
  ];
  const redraw = (): void => {
    for (const [name, of] of parts) {
      const box = document.getElementById(`view-${name}`);
      if (box) draw(box, [of()]);
    }
  };
  const model = new Shower(data, redraw);
  redraw();
  for (const block of document.querySelectorAll(".copyable")) {
    const text = block.querySelector("pre")?.textContent;
    if (text) block.append(copyButton(text, "these lines"));
  }
  // A link to a rule opens its findings.
  const follow = (): void => {
    // An id has nothing that an address would say otherwise.
    model.openRuleGroup(location.hash.slice(1));
  };
  addEventListener("hashchange", follow);
  follow();
  let before = model.shown;
  let closed: HTMLDetailsElement[] = [];
  addEventListener("beforeprint", () => {
    before = model.shown;
    closed = [...document.querySelectorAll<HTMLDetailsElement>("details:not([open])")];
    for (const details of closed) details.open = true;
    const open = new Map(model.groups.map(({ key }) => [key, true]));
    const windows = new Map(model.groups.map(({ key }) => [key, { from: 0, until: ON_PAPER }]));
    model.show({ isWhole: true, folds: open, windows, all: new Set(["decisions", "lost"]) });
  });
  addEventListener("afterprint", () => {
    for (const details of closed) details.open = false;
    model.show(before);
  });
}

const data = document.getElementById("data")?.textContent;
if (data) start(JSON.parse(data) as Data);

