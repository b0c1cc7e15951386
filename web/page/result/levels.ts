// What rules count as, where the person says otherwise: as `[severity]` in tsmigrate.toml.

import type { Settings } from "../engine/report";

/** What a rule can count as. */
export const LEVELS = ["error", "warning", "note", "off"] as const;
export type Level = (typeof LEVELS)[number];

/** What the settings say of a rule; null where it counts as it says itself. */
export const levelOf = ({ levels = [] }: Settings, rule: string): string | null =>
  levels.find(([pattern]) => pattern === rule)?.[1] ?? null;

/** The settings with a rule counted as something else, or as it says itself. */
export function withLevel(settings: Settings, rule: string, level: string | null): Settings {
  const others = (settings.levels ?? []).filter(([pattern]) => pattern !== rule);
  const all: [string, string][] = level === null ? others : [...others, [rule, level]];
  const { levels: _before, ...rest } = settings;
  return all.length === 0 ? rest : { ...rest, levels: all.sort(([a], [b]) => (a < b ? -1 : 1)) };
}
