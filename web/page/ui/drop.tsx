import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { addFiles, addText } from "../state";

const over = signal(false);

const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;

/** Takes files that are dropped or pasted anywhere on the page, and text that is pasted outside of any field. */
function listen(): () => void {
  const stop = new AbortController();
  // Before the editor, which would read a file as text at the place where it falls.
  const options = { capture: true, signal: stop.signal };
  const drag = (event: DragEvent): void => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = "copy";
    over.value = true;
  };
  window.addEventListener("dragenter", drag, options);
  window.addEventListener("dragover", drag, options);
  window.addEventListener(
    "dragleave",
    (event) => {
      if (event.relatedTarget === null) over.value = false;
    },
    options,
  );
  window.addEventListener(
    "drop",
    (event) => {
      over.value = false;
      if (!hasFiles(event)) return;
      event.preventDefault();
      event.stopPropagation();
      void addFiles([...(event.dataTransfer?.files ?? [])]);
    },
    options,
  );
  window.addEventListener(
    "paste",
    (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      const text = event.clipboardData?.getData("text/plain") ?? "";
      const { target } = event;
      const inField = target instanceof Element && target.closest("input, textarea, select, [contenteditable=true], dialog") !== null;
      if (files.length > 0 && text === "") void addFiles(files);
      else if (!inField && text !== "") addText("dump.sql", text);
      else return;
      event.preventDefault();
      event.stopPropagation();
    },
    options,
  );
  return () => stop.abort();
}

/** What is seen while files are over the page. */
export function DropZone() {
  useEffect(listen, []);
  return over.value ? (
    <div class="drop-zone" aria-hidden="true">
      <p>Drop dumps here: roles and schema together, .sql, .gz, .zst, or archives</p>
    </div>
  ) : null;
}
