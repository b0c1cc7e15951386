declare module "virtual:glue" {
  import type * as Glue from "../../module/tsmigrate_web.js";
  export type Bindings = typeof Glue;
  /** Bindings for one instance of the module. */
  export function bindings(): Bindings;
}

declare module "virtual:worker" {
  /** The worker's script. */
  export const worker: string;
}

declare module "virtual:style" {
  /** The style of the element: the view's and the editor's. */
  export const style: string;
}

declare module "virtual:inlined" {
  /** The module, gzipped and in base64: in this script, or in one beside it. */
  export function importInlined(): Promise<{ inlined: string }>;
}
