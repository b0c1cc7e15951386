//! Makes the JavaScript and the TypeScript declarations of a WebAssembly module, and the module that goes with them.
//!
//! `wasm-bindgen`'s own program does the same, but has to be of the library's exact version and takes minutes to install.
//! This one comes with the workspace, so that Cargo.lock keeps both at one version.

use std::env;
use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let (Some(module), Some(folder), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        eprintln!("usage: tsmigrate-bindgen MODULE.wasm FOLDER");
        return ExitCode::from(2);
    };
    let made = Bindgen::new()
        .input_path(&module)
        .typescript(true)
        .web(true)
        .and_then(|bindgen| bindgen.generate(&folder));
    if let Err(error) = made {
        eprintln!("tsmigrate-bindgen: {module}: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
