// What falls with a finding's object, and with each of those: a tree that one can open.

import { placeOf, type Finding } from "./classes";
import { findingLink } from "./controls";
import { make, type Child } from "./dom";
import type { Model } from "./model";
import { count, seen, thousands } from "./words";

/** What falls with one thing that is shown at once. */
const SHOWN = 12;

/** What something of the dump is called: the object of its finding. */
const nameOf = ({ object, message }: Finding): string => seen(object ?? message);

/** How many of each kind of object there are: `2 views, 1 function`. */
function kinds({ findings }: Model, all: readonly number[]): string {
  const numbers = new Map<string, number>();
  for (const at of all) {
    const kind = /^[a-z ]+(?= )/.exec(findings[at]?.object ?? "")?.[0] ?? "statement";
    numbers.set(kind, (numbers.get(kind) ?? 0) + 1);
  }
  return [...numbers].map(([kind, number]) => count(number, kind)).join(", ");
}

/** The tree below a finding; nothing where nothing falls with it. */
export function falls(model: Model, at: number, above: readonly number[] = []): Child {
  const all = (model.dependents.get(at) ?? []).filter((other) => !above.includes(other));
  if (all.length === 0) return null;
  const path = [...above, at];
  return make(
    "ul",
    { class: "falls" },
    all.slice(0, SHOWN).map((other) => {
      const finding = model.findings[other];
      if (!finding) return null;
      const below = (model.dependents.get(other) ?? []).filter((one) => one !== other && !path.includes(one));
      const link = findingLink(model, other, `${finding.rule} ${seen(placeOf(finding))}`);
      if (below.length === 0) return make("li", {}, nameOf(finding), " ", link);
      return make(
        "li",
        {},
        make(
          "details",
          { open: above.length === 0 },
          make("summary", {}, nameOf(finding), " ", make("span", { class: "quiet" }, `(${kinds(model, below)})`)),
          link,
          falls(model, other, path),
        ),
      );
    }),
    all.length > SHOWN && make("li", { class: "quiet" }, `… and ${thousands(all.length - SHOWN)} more`),
  );
}
