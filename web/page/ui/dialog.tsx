import type { ComponentChildren } from "preact";
import { type Signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

/** Something before the page, until it is closed. */
export function Dialog({ open, title, children }: { open: Signal<boolean>; title: string; children: ComponentChildren }) {
  const box = useRef<HTMLDialogElement>(null);
  const is = open.value;
  useEffect(() => {
    if (is) box.current?.showModal();
  }, [is]);
  if (!is) return null;
  const id = `dialog-${title.replace(/\W+/g, "-").toLowerCase()}`;
  return (
    <dialog
      ref={box}
      aria-labelledby={id}
      onClose={() => (open.value = false)}
      onClick={(event) => {
        if (event.target === box.current) event.currentTarget.close();
      }}
    >
      <div class="dialog">
        <div class="dialog-head">
          <h2 id={id}>{title}</h2>
          <button type="button" onClick={() => box.current?.close()}>
            Close
          </button>
        </div>
        {children}
      </div>
    </dialog>
  );
}
