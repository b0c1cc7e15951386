import { inputs } from "../state";
import { forgetful, isKept, remember, remembering } from "../remember";

/** Whether a reload brings the texts back. */
export function Remember() {
  const on = remembering.value;
  const left = inputs.value.filter((input) => !isKept(input)).map((input) => input.name);
  return (
    <div class="remember">
      <label>
        <input type="checkbox" checked={on} aria-describedby="remember-what" onChange={(event) => remember(event.currentTarget.checked)} />
        Remember this on this device
      </label>
      <span id="remember-what" aria-live="polite">
        {forgetful.value ??
          (on
            ? `The texts and what you chose stay in this browser until you turn this off.${left.length > 0 ? ` Too large to keep: ${left.join(", ")}.` : ""}`
            : "Not saved: closing or reloading clears the page.")}
      </span>
    </div>
  );
}
