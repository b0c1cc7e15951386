import { addEmpty, addFiles, inputs, isEmpty, move, remove, shown } from "../state";
import { useRef } from "preact/hooks";

/** The dumps in the order in which they are restored, and what can be done with them. */
export function InputTabs() {
  const picker = useRef<HTMLInputElement>(null);
  const tabs = useRef<HTMLDivElement>(null);
  const all = inputs.value;
  const current = all[shown.value];
  const several = all.length > 1;

  const focusTab = (): void => {
    requestAnimationFrame(() => tabs.current?.querySelector<HTMLElement>("[aria-selected=true]")?.focus());
  };
  const keys = (event: KeyboardEvent): void => {
    if (!current) return;
    const by = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
    if (by !== 0 && event.altKey) move(current.id, by);
    else if (by !== 0) shown.value = (shown.value + by + all.length) % all.length;
    else if (event.key === "Home") shown.value = 0;
    else if (event.key === "End") shown.value = all.length - 1;
    else if (event.key === "Delete") remove(current.id);
    else return;
    event.preventDefault();
    focusTab();
  };

  return (
    <div class="input-bar">
      <div class="dump-tabs" role="tablist" aria-label="Dumps, in the order in which they are restored" ref={tabs} onKeyDown={keys}>
        {all.map((input, at) => (
          <button
            type="button"
            role="tab"
            key={input.id}
            id={`tab-${input.id}`}
            aria-selected={at === shown.value}
            aria-controls="dump-panel"
            tabIndex={at === shown.value ? 0 : -1}
            title={several ? `${input.name}\nAlt+← and Alt+→ move it, Delete closes it` : input.name}
            onClick={() => (shown.value = at)}
          >
            {several && <span class="tab-number">{at + 1}</span>}
            <span class="tab-name">{input.name}</span>
          </button>
        ))}
      </div>
      <div class="input-tools">
        {several && current && (
          <>
            <button
              type="button"
              class="icon"
              aria-label={`Restore ${current.name} earlier`}
              title="Restore it earlier"
              disabled={shown.value === 0}
              onClick={() => move(current.id, -1)}
            >
              ◀
            </button>
            <button
              type="button"
              class="icon"
              aria-label={`Restore ${current.name} later`}
              title="Restore it later"
              disabled={shown.value === all.length - 1}
              onClick={() => move(current.id, 1)}
            >
              ▶
            </button>
          </>
        )}
        {current && !isEmpty.value && (
          <button type="button" class="icon" aria-label={`Close ${current.name}`} title="Close it" onClick={() => remove(current.id)}>
            ✕
          </button>
        )}
        {!isEmpty.value && (
          <button type="button" onClick={addEmpty} title="Another text, to type or paste into">
            New
          </button>
        )}
        <button type="button" class={isEmpty.value ? "primary" : ""} onClick={() => picker.current?.click()}>
          {isEmpty.value ? "Open files …" : "Open …"}
        </button>
        <input
          ref={picker}
          type="file"
          multiple
          hidden
          aria-label="Open files"
          data-open-files
          onChange={(event) => {
            void addFiles([...(event.currentTarget.files ?? [])]);
            event.currentTarget.value = "";
          }}
        />
      </div>
    </div>
  );
}
