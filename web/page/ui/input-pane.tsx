import { addFiles, edit, inputs, shown } from "../state";

/** The dumps: pasted, typed, dropped or opened. */
export function InputPane() {
  const input = inputs.value[shown.value];
  return (
    <section class="input" aria-label="Dump">
      <input type="file" multiple aria-label="Open files" onChange={(event) => void addFiles([...(event.currentTarget.files ?? [])])} />
      {input?.kind === "text" ? (
        <textarea aria-label="Text of the dump" value={input.text} onInput={(event) => edit(input.id, event.currentTarget.value)} />
      ) : (
        <p>{input?.name}</p>
      )}
    </section>
  );
}
