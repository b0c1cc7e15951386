// A question before the page goes with something that no file has.

import { isUnkept, remembering } from "./remember";
import { isWork } from "./state";

/** Asks before a reload, a close, or a way back that would lose texts or choices. */
export function startKeeping(): void {
  window.addEventListener("beforeunload", (event) => {
    if ((isWork() && !remembering.value) || isUnkept()) event.preventDefault();
  });
}
