import { useSignal } from "@preact/signals";

/** A text to copy, with a button for it. */
export function Copyable({ text, label }: { text: string; label: string }) {
  const said = useSignal("Copy");
  const say = (word: string): void => {
    said.value = word;
    setTimeout(() => (said.value = "Copy"), 2000);
  };
  const copy = (event: MouseEvent): void => {
    const pre = (event.currentTarget as HTMLElement).parentElement?.querySelector("pre");
    const byHand = (): void => {
      // Where the page may not write to the clipboard, the person can.
      const range = document.createRange();
      if (pre) range.selectNodeContents(pre);
      const selection = getSelection();
      selection?.removeAllRanges();
      selection?.addRange(range);
      say(document.execCommand("copy") ? "Copied" : "Press Ctrl+C");
    };
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(() => say("Copied"), byHand);
    else byHand();
  };
  return (
    <div class="copyable">
      <pre tabIndex={0} aria-label={label}>
        {text}
      </pre>
      <button type="button" onClick={copy} aria-label={`Copy: ${label}`}>
        <span role="status">{said}</span>
      </button>
    </div>
  );
}
