/** A checkbox that can be in between. */
export function Tri({ state, label, set, class: name }: { state: "on" | "off" | "some"; label: string; set: (on: boolean) => void; class?: string }) {
  return (
    <input
      type="checkbox"
      class={`switch ${name ?? ""}`}
      aria-label={label}
      title={label}
      checked={state === "on"}
      ref={(box) => {
        if (box) box.indeterminate = state === "some";
      }}
      onChange={(event) => set(event.currentTarget.checked)}
    />
  );
}
