import { useComputed, useSignal } from "@preact/signals";
import { report } from "../result/view";
import { catalogue, settings, settingsRefused } from "../state";
import type { Settings } from "../engine/types";
import { seen } from "../../view/words";

/** Changes the settings; a key without a value goes. */
function change(next: Partial<{ [Key in keyof Settings]: Settings[Key] | undefined }>): void {
  settingsRefused.value = null;
  const all = Object.entries({ ...settings.value, ...next });
  settings.value = Object.fromEntries(
    all.filter(([, value]) => value !== undefined && value !== "" && !(Array.isArray(value) && value.length === 0)),
  ) as Settings;
}

/** What the dump is checked for. */
export function SettingsView() {
  const known = catalogue.value;
  if (!known) return null;
  const { targetVersion, extensionList, timescaledb } = settings.value;
  const newest = known.extensionLists.at(-1);
  const list = known.extensionLists.find(({ name }) => name === extensionList) ?? newest;
  return (
    <div class="settings">
      <p>
        The target is a <b>{known.target}</b>. What the command line knows of it is known here too.
      </p>
      <div class="field">
        <label for="target-version">PostgreSQL</label>
        <select
          id="target-version"
          value={String(targetVersion ?? known.targetVersion)}
          onChange={(event) => {
            const version = Number(event.currentTarget.value);
            change({ targetVersion: version === known.targetVersion ? undefined : version });
          }}
        >
          {known.targetVersions.map((version) => (
            <option key={version} value={String(version)}>
              {version}
              {version === known.targetVersion ? " (new services)" : ""}
            </option>
          ))}
        </select>
      </div>
      <div class="field">
        <label for="target-timescaledb">TimescaleDB</label>
        <input
          id="target-timescaledb"
          type="text"
          value={timescaledb ?? ""}
          placeholder="not said; such as 2.19.3"
          aria-describedby="timescaledb-words"
          aria-invalid={settingsRefused.value !== null}
          onChange={(event) => change({ timescaledb: event.currentTarget.value.trim() })}
        />
      </div>
      <p class="quiet" id="timescaledb-words">
        SELECT extversion FROM pg_extension on the service says it. A dump of another version does not restore.
      </p>
      {settingsRefused.value && (
        <p role="alert" class="refused">
          {seen(settingsRefused.value)}
        </p>
      )}
      <fieldset>
        <legend>Extensions</legend>
        <div class="field">
          <label for="target-list">List</label>
          <select
            id="target-list"
            value={list?.name ?? ""}
            onChange={(event) => change({ extensionList: event.currentTarget.value === newest?.name ? undefined : event.currentTarget.value })}
          >
            {known.extensionLists.map(({ name, date }) => (
              <option key={name} value={name}>
                {name}, as of {date}
              </option>
            ))}
          </select>
        </div>
        {list && (
          <details>
            <summary>
              {list.extensions.length} extensions, as of {list.date}
            </summary>
            <p class="quiet">Published at {list.source}</p>
            <p class="names">{list.extensions.join(", ")}</p>
          </details>
        )}
        <Names title="The service takes these too" name="take" other="refuse" />
        <Names title="It refuses these" name="refuse" other="take" />
      </fieldset>
      <Databases />
      <div class="buttons">
        <button
          type="button"
          onClick={() =>
            change({ targetVersion: undefined, timescaledb: undefined, extensionList: undefined, take: undefined, refuse: undefined, database: undefined })
          }
        >
          Reset to the built-in target
        </button>
      </div>
    </div>
  );
}

/** A list of extensions: typed in, taken out by a button each. */
function Names({ title, name, other }: { title: string; name: "take" | "refuse"; other: "take" | "refuse" }) {
  const typed = useSignal("");
  const names = settings.value[name] ?? [];
  const add = (): void => {
    const more = typed.value.split(/[\s,]+/).filter(Boolean);
    typed.value = "";
    if (more.length === 0) return;
    change({
      [name]: [...new Set([...names, ...more])].sort(),
      [other]: (settings.value[other] ?? []).filter((one) => !more.includes(one)),
    });
  };
  return (
    <div class="names-field">
      <div class="field">
        <label for={`target-${name}`}>{title}</label>
        <input
          id={`target-${name}`}
          type="text"
          value={typed.value}
          placeholder="names of extensions"
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => (typed.value = event.currentTarget.value)}
          onChange={add}
          onKeyDown={(event) => {
            if (event.key === "Enter") {
              event.preventDefault();
              add();
            }
          }}
        />
      </div>
      {names.length > 0 && (
        <ul class="chips">
          {names.map((one) => (
            <li key={one}>
              <button type="button" class="chip" aria-label={`Take ${seen(one)} out`} onClick={() => change({ [name]: names.filter((kept) => kept !== one) })}>
                {seen(one)} ×
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** Of a dump of a whole cluster, the database to keep. */
function Databases() {
  const names = useComputed(() => {
    const found = new Set(report.value?.databases.map(({ name }) => name));
    if (settings.value.database) found.add(settings.value.database);
    return [...found].sort();
  });
  if (names.value.length === 0) return null;
  return (
    <div class="field">
      <label for="target-database">Database to keep</label>
      <select id="target-database" value={settings.value.database ?? ""} onChange={(event) => change({ database: event.currentTarget.value })}>
        <option value="">the first with objects</option>
        {names.value.map((name) => (
          <option key={name} value={name}>
            {seen(name)}
          </option>
        ))}
      </select>
    </div>
  );
}
