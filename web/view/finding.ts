// One finding: a line, and all that there is to say about it where it is selected.

import { choiceOf, classOf, marked, placeOf, toAccept, type Finding } from "./classes";
import { copyButton, docs, facts, findingLink, linkButton, tri } from "./controls";
import { findingText, fixText } from "./copied";
import { keyed, make, type Child } from "./dom";
import { falls } from "./falls";
import { changeOf } from "./lines";
import type { Model } from "./model";
import { count, seen } from "./words";

/** Other places of one finding that are listed at once. */
const PLACES = 8;

/** True where the rewrite of this result applies the fix, or will after the next check; or where the risk is taken. */
const isOn = ({ fixes }: Model, finding: Finding): boolean =>
  fixes ? fixes.isOn(finding)
  : finding.risk ? finding.accepted && !finding.left
  : finding.solved;

export function findingRow(model: Model, at: number, inRule: boolean): Child {
  const finding = model.findings[at];
  if (!finding) return null;
  const { object, message, line } = finding;
  const open = model.shown.isWhole || model.shown.selected === at;
  const isNamed = object && model.shown.by !== "object" && !message.includes(object.replace(/^\S+ /, ""));
  return keyed(
    `finding-${at}`,
    make(
      "li",
      { class: `finding ${open ? "open" : ""}`, id: `finding-${at}` },
      make(
        "div",
        { class: "line" },
        fixSwitch(model, finding),
        make(
          "button",
          { type: "button", class: "row", "aria-expanded": open, onclick: () => (open ? model.show({ selected: null }) : model.select(at)) },
          !inRule && make("span", { class: `badge ${classOf(finding)}` }, finding.rule),
          make("span", { class: "message" }, seen(message)),
          make("span", { class: "place" }, model.isOneInput && line > 0 ? `line ${line}` : seen(placeOf(finding)), isNamed && ` · ${seen(object)}`),
        ),
      ),
      open && detail(model, at, finding, !inRule),
    ),
  );
}

/** Switches one fix. */
function fixSwitch({ fixes }: Model, finding: Finding): Child {
  if (!fixes) return null;
  const choice = choiceOf(finding);
  if (choice === "none") return make("span", { class: "no-switch" });
  const { fix } = finding;
  const label = seen(fix ? `Fix: ${fix.title}${fix.lost ? `. Lost: ${fix.lost}` : ""}` : `Accept ${toAccept(finding).join(", ")}: ${accepted(finding)}`);
  return tri(fixes.isOn(finding) ? "on" : "off", label, (on) => fixes.set([finding], on), choice);
}

/** What accepting does where there is no fix. */
const accepted = ({ risk }: Finding): string => (risk ? "keep the statement, and take the risk that it fails" : "leave the statement out");

/** What a rule says of all its findings. */
export const ruleWords = (model: Model, finding: Finding): HTMLElement =>
  make(
    "div",
    { class: "rule" },
    facts([
      ["Why", finding.why],
      ["Read more", readMore(model, finding)],
      ["Counts as", model.levelOf(finding.rule)],
    ]),
  );

/** The rule's own page, and one elsewhere. */
function readMore({ openRule, pageOf }: Model, { rule, docs: url }: Finding): Child {
  const own = docs(pageOf(rule) ?? "");
  const link = own ? [own, " · ", docs(url)] : docs(url);
  if (!openRule) return link;
  return [linkButton(() => openRule(rule), `About ${rule}`), link ? [" · ", link] : null];
}

function detail(model: Model, at: number, finding: Finding, withRule: boolean): HTMLElement {
  const { server_error: error, fix, allowed, own_severity: own, severity, related } = finding;
  return make(
    "div",
    { class: "detail" },
    excerpt(model, finding),
    copies(finding),
    facts([
      ["Allowed", allowed !== null && (seen(allowed) || "by a comment in the dump, without a reason")],
      ["Counted", own && `as ${severity}, by configuration; the rule says ${own}`],
      [
        "Server",
        error &&
          make(
            "code",
            { class: "server" },
            `ERROR ${error.sqlstate}: ${seen(error.text)}`,
            error.detail && `\nDETAIL: ${seen(error.detail)}`,
            error.hint && `\nHINT: ${seen(error.hint)}`,
          ),
      ],
      [related.some(({ rule }) => rule) ? "Because of" : "See", related.length > 0 && places(model, finding)],
      ["Falls with it", model.dependents.has(at) && falls(model, at)],
      ["Why", withRule && finding.why],
      ["What to do", seen(finding.help)],
      ["Fix", (fix || choiceOf(finding) !== "none") && how(model, finding)],
      ["Lost", fix?.lost && make("strong", {}, seen(fix.lost))],
      ["Read more", withRule && readMore(model, finding)],
      ["Counts as", withRule && model.levelOf(finding.rule)],
    ]),
  );
}

/** What can be sent to somebody. */
function copies(finding: Finding): HTMLElement {
  const fix = fixText(finding);
  return make(
    "div",
    { class: "copies" },
    copyButton(seen(findingText(finding)), "the finding", "Copy the finding"),
    fix !== null && copyButton(fix, "the fix", "Copy the fix"),
  );
}

/** How a finding is fixed, and by whose word. */
function how(model: Model, finding: Finding): Child {
  const { fix } = finding;
  const rules = toAccept(finding).join(", ");
  const title =
    fix?.title ? seen(fix.title)
    : finding.risk && isOn(model, finding) ? "None: the risk that the statement fails is accepted, and it is kept"
    : `No fix. Accept ${rules} to ${accepted(finding)}`;
  const state =
    finding.left && !model.fixes ? " (left as it is, as --leave says)"
    : choiceOf(finding) === "none" ? ""
    : isOn(model, finding) ? (finding.solved ? " (applied by the rewrite)" : "")
    : choiceOf(finding) === "review" ? ` (a loss: applied only if you accept ${rules})`
    : " (off: the statement stays as it is)";
  return [title, (fix ?? finding.solved) ? make("span", { class: "quiet" }, state) : null];
}

/** Causes, and whatever else belongs to a finding. */
function places(model: Model, { related }: Finding): HTMLElement {
  return make(
    "ul",
    { class: "places" },
    related.slice(0, PLACES).map(({ rule, file, line, column, span, message }) => {
      const cause = model.causeAt(rule, file, span.start, line);
      const place = seen(placeOf({ file, line, column }));
      return make("li", {}, seen(message), " ", rule && `(${rule}) `, cause === null ? make("code", {}, place) : findingLink(model, cause, place));
    }),
    related.length > PLACES && make("li", { class: "quiet" }, `… and ${count(related.length - PLACES, "more place")}`),
  );
}

/** The lines of the dump with the marked part, or what the fix makes of them. */
function excerpt(model: Model, finding: Finding): Child {
  const { line, text, start, end } = finding.excerpt;
  if (text === "") return null;
  const row = (name: string, at: HTMLElement, parts: Child): HTMLElement => make("span", { class: `row-of ${name}` }, at, parts, "\n");
  const change = isOn(model, finding) ? changeOf(finding) : null;
  if (change) {
    const rows = change.map(({ sign, text }) =>
      row(sign === "-" ? "old" : sign === "+" ? "new" : "", make("span", { class: "at", "aria-hidden": sign === " " }, sign), seen(text)),
    );
    return make("pre", { class: "excerpt", tabindex: 0, "aria-label": "Before and after the fix" }, rows);
  }
  const lines: Child[][] = [[]];
  marked(text, start, end).forEach((part, index) => {
    part.split("\n").forEach((words, at) => {
      if (at > 0) lines.push([]);
      if (words !== "") lines[lines.length - 1]?.push(index === 1 ? make("mark", {}, seen(words)) : seen(words));
    });
  });
  const rows = lines.map((parts, at) => row("", make("span", { class: "at" }, String(line + at)), parts));
  return make("pre", { class: "excerpt", tabindex: 0, "aria-label": "Lines of the dump" }, rows);
}
