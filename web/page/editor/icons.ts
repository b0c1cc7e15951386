// A sign for each severity that differs in shape, not in colour alone. What the rewrite fixes has a hollow sign with a
// tick, and a dash where something is lost with it.

import type { Severity } from "../engine/types";
import type { Fate } from "./fate";

const SHAPES: Record<Severity, string> = {
  error: '<path d="M5 1h6l4 4v6l-4 4H5l-4-4V5z"/>',
  warning: '<path d="M8 1.2 15.4 14.6H.6z"/>',
  note: '<circle cx="8" cy="8" r="6.8"/>',
};

const SIGNS: Record<Severity, string> = {
  error: '<path class="sign" d="M5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2"/>',
  warning: '<path class="sign" d="M8 6v4M8 11.6v1.2"/>',
  note: '<path class="sign" d="M8 7.2v4.4M8 4.2v1.2"/>',
};

const TICK = '<path class="sign" d="M4.8 8.6l2.3 2.3 4.2-4.8"/>';

const DASH = '<path class="sign" d="M4.8 8h6.4"/>';

/** The sign as SVG. */
export const severityIcon = (severity: Severity, fate: Fate): string =>
  `<svg class="sign-${fate}" viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">${SHAPES[severity]}${
    fate === "open" ? SIGNS[severity] : fate === "lost" ? DASH : TICK
  }</svg>`;
