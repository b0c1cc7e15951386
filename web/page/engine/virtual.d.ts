declare module "virtual:engine" {
  /** The worker's script. */
  export const worker: string;
  /** The module, gzipped and in base64. */
  export const module: string;
}
