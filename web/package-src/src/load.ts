// The module, from wherever it is.

import { LoadError } from "./errors";

/** Where the module comes from: compiled, its bytes, an answer of a server, or an address. */
export type ModuleSource = WebAssembly.Module | ArrayBuffer | Uint8Array | Response | URL | string;

/** How the analyzer is loaded. */
export interface LoadOptions {
  /** The module, `tsmigrate.wasm` of this package; the package's own where it is left out. */
  module?: ModuleSource | Promise<ModuleSource>;
}

/** Compiles a module, and says in words why that is impossible. */
export async function compiled(source: ModuleSource | Promise<ModuleSource>): Promise<WebAssembly.Module> {
  try {
    return await compile(await source);
  } catch (error) {
    if (error instanceof LoadError) throw error;
    const said = error instanceof Error ? error.message : String(error);
    throw new LoadError(`The module cannot be loaded: ${said}`, { cause: error });
  }
}

async function compile(source: ModuleSource): Promise<WebAssembly.Module> {
  if (source instanceof WebAssembly.Module) return source;
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return WebAssembly.compile(source as BufferSource);
  const response = typeof source === "string" || source instanceof URL ? await fetch(source) : source;
  if (!response.ok) throw new LoadError(`The module cannot be loaded: ${response.url} answers ${response.status} ${response.statusText}`);
  // Servers that do not know the type of the file are many: it is not asked for.
  return WebAssembly.compile(await response.arrayBuffer());
}
