// The databases of a cluster dump: what becomes of each, which one is kept, and the command that keeps them all.

import { copyButton } from "../../view/controls";
import { make, type Child } from "../../view/dom";
import type { DatabaseEntry } from "../../view/schema";
import { count, seen } from "../../view/words";
import type { Settings } from "../engine/report";
import { command } from "./command";

const FATES: Record<DatabaseEntry["fate"], string> = { kept: "kept", moved: "kept, moved", "left-out": "left out" };

/** What the table needs of the page. */
export interface Deciding {
  settings: Settings;
  /** The inputs' names. */
  names: readonly string[];
  /** Another database can be chosen now. */
  isIdle: boolean;
  keep(name: string): void;
}

/** A table of them, and the options that keep them all: none where there are not several. */
export function databases(all: readonly DatabaseEntry[], options: string | null, page: Deciding): Child {
  if (all.length === 0) return null;
  const { database: _, ...settings } = page.settings;
  const keepAll = command({ names: page.names, settings, remove: false, scripts: false }) + ` ${options}`;
  return make(
    "div",
    { class: "databases" },
    make("h3", { id: "databases-title" }, "Databases"),
    make(
      "div",
      { class: "table", tabindex: 0, role: "region", "aria-labelledby": "databases-title" },
      make(
        "table",
        {},
        make("thead", {}, make("tr", {}, ["Database", "Here", "Kept beside the others", "Meets"].map((head) => make("th", { scope: "col" }, head)))),
        make("tbody", {}, all.map((database) => row(database, page))),
      ),
    ),
    options !== null && [
      make("p", {}, "To keep all of them in the one database, each in schemas of its own:"),
      make("p", { class: "keep-all" }, make("code", {}, seen(keepAll)), " ", copyButton(keepAll, "the command that keeps all databases")),
    ],
  );
}

function row({ name, fate, schemas, meets }: DatabaseEntry, { isIdle, keep }: Deciding): HTMLElement {
  const objects = schemas.reduce((sum, schema) => sum + schema.objects, 0);
  const becomes = schemas.flatMap(({ name, becomes }) => (becomes ? `${name} → ${becomes}` : []));
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, seen(name)),
    make(
      "td",
      {},
      `${count(objects, "object")}, ${FATES[fate]}`,
      fate === "left-out" && [" ", make("button", { type: "button", disabled: !isIdle, onclick: () => keep(name), "aria-label": `Keep ${seen(name)} instead` }, "Keep this one")],
    ),
    make("td", {}, seen(becomes.join(", "))),
    make("td", {}, seen(meets.join(", "))),
  );
}
