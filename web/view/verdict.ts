// The answer, in words; and what was looked at.

import { make, type Child } from "./dom";
import { capital, seen, type Words } from "./words";

/** The answer in one sentence. */
export const verdict = ({ sign, title, sentence }: Words): Child => [
  make("p", { class: "visually-hidden", role: "status" }, `${title}: ${seen(sentence)}`),
  make("h2", {}, make("span", { class: "sign", "aria-hidden": true }, sign), ` ${title}`),
  make("p", { class: "sentence" }, seen(capital(sentence))),
];

/** What was checked, for which target, and what was not judged. */
export const checked = ({ checked }: Words): HTMLElement =>
  make(
    "ul",
    { class: "checked", "aria-label": "What was checked" },
    checked.map(([name, words]) => make("li", {}, name !== "" && [make("b", {}, seen(name)), " "], seen(words))),
  );
