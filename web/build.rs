//! Links what PostgreSQL's parser needs of a C library on wasm32-unknown-unknown: see `sysroot/README.md`.
//! `web/cargo-wasm` sets the compiler and says where wasi-libc is.

use std::env;
use std::path::Path;

/// Stack of the module in bytes: its limit is the browser's own stack, not this one.
const STACK: usize = 8 << 20;

fn main() {
    if env::var("CARGO_CFG_TARGET_ARCH").as_deref() != Ok("wasm32") {
        return;
    }
    let sources = ["sysroot/src/host.c", "sysroot/src/longjmp.c", "sysroot/src/memcmp.c"];
    cc::Build::new()
        .files(sources)
        .flag("-mexception-handling")
        .flag("-fno-builtin")
        .compile("tsmigrate_sysroot");
    for source in sources {
        println!("cargo:rerun-if-changed={source}");
    }
    println!("cargo:rerun-if-env-changed=WASI_LIBC");
    if let Some(library) = env::var_os("WASI_LIBC") {
        println!("cargo:rustc-link-search=native={}", Path::new(&library).display());
    }
    println!("cargo:rustc-link-lib=static=c");
    println!("cargo:rustc-link-arg-cdylib=-zstack-size={STACK}");
}
