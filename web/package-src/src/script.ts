// For a plain page: everything in one script, also from a disk. Its global name is `tsmigrate`.

import { defineChecker } from "./widget";

export * from "./browser";
export { defineChecker };

if (typeof customElements !== "undefined") defineChecker();
