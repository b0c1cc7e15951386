import { useSignal } from "@preact/signals";

/** Text into the clipboard, also where the page has no leave to use it: from a file, without HTTPS. */
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.style.position = "fixed";
    area.style.opacity = "0";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/** Copies a text; `of` says what it is, for who does not see it. */
export function CopyButton({ text, of }: { text: string; of: string }) {
  const said = useSignal("");
  const act = async (button: HTMLButtonElement): Promise<void> => {
    said.value = (await copy(text)) ? "Copied" : "Press Ctrl+C";
    button.focus();
    setTimeout(() => (said.value = ""), 2000);
  };
  return (
    <button type="button" class="copy" aria-label={`Copy ${of}`} onClick={(event) => void act(event.currentTarget)}>
      <span aria-live="polite">{said.value || "Copy"}</span>
    </button>
  );
}

/** A command with a button that copies it. */
export function Command({ text, of }: { text: string; of: string }) {
  return (
    <div class="command">
      <pre tabIndex={0} aria-label={of}>
        <code>{text}</code>
      </pre>
      <CopyButton text={text} of={of} />
    </div>
  );
}
