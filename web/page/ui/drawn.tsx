import { useRef } from "preact/hooks";
import { useSignalEffect } from "@preact/signals";
import { draw, type Child } from "../../view/dom";

/** A place for what the result view draws; it is drawn again when what it is made of changes. */
export function Drawn({ of, class: name }: { of: () => Child; class?: string }) {
  const box = useRef<HTMLDivElement>(null);
  const now = useRef(of);
  now.current = of;
  useSignalEffect(() => {
    const children = now.current();
    if (box.current) draw(box.current, [children]);
  });
  return <div ref={box} class={name} />;
}
