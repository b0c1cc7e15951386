import { signal } from "@preact/signals";
import { catalogue, settings } from "../state";
import { About } from "./about";
import { Dialog } from "./dialog";
import { SettingsView } from "./settings";
import { choose, theme, type Theme } from "./theme";
import "./header.css";

const about = signal(false);
/** True while the settings are open. */
export const target = signal(false);

/** What the page is, what it checks for, and that it sends nothing. */
export function Header() {
  const known = catalogue.value;
  return (
    <header class="top">
      <h1>
        tsmigrate <span>dump checker</span> {known && <small>{known.version}</small>}
      </h1>
      <nav aria-label="Page">
        <button type="button" class="promise" aria-haspopup="dialog" onClick={() => (about.value = true)}>
          Nothing leaves this page
        </button>
        <button type="button" aria-haspopup="dialog" disabled={!known} onClick={() => (target.value = true)}>
          Target: PostgreSQL {settings.value.targetVersion ?? known?.targetVersion ?? "…"}
        </button>
        <select aria-label="Colours" value={theme.value} onChange={(event) => choose(event.currentTarget.value as Theme)}>
          <option value="auto">Auto</option>
          <option value="light">Light</option>
          <option value="dark">Dark</option>
        </select>
      </nav>
      <Dialog open={about} title="Nothing leaves this page">
        <About />
      </Dialog>
      <Dialog open={target} title="Target and settings">
        <SettingsView />
      </Dialog>
    </header>
  );
}
