// The colours that somebody chose. The browser keeps the choice without asking: it says nothing of any dump.

import { effect, signal } from "@preact/signals";

export type Theme = "auto" | "light" | "dark";

const NAME = "tsmigrate-theme";

function kept(): Theme {
  try {
    const theme = localStorage.getItem(NAME);
    return theme === "light" || theme === "dark" ? theme : "auto";
  } catch {
    return "auto";
  }
}

export const theme = signal<Theme>(kept());

effect(() => {
  if (theme.value === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
});

/** Takes colours, and keeps them. */
export function choose(chosen: Theme): void {
  theme.value = chosen;
  try {
    if (chosen === "auto") localStorage.removeItem(NAME);
    else localStorage.setItem(NAME, chosen);
  } catch {
    // A browser that keeps nothing shows them until the page is closed.
  }
}
