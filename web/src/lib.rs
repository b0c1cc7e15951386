//! The analyzer as a WebAssembly module. It knows no page: bytes and settings in, reports and rewritten bytes out.
//!
//! [`Checker`] takes inputs as their bytes arrive, [`Checked`] is the result, [`Rewriting`] gives the rewritten bytes, and
//! [`ParseCache`] is for texts that are checked again and again.
//! A statement whose tree would end a browser's stack is refused, which the program still reads: more than some 230
//! operators, joins or calls in one another, 110 CASE or 65 subselects.
//! Everything structured crosses the border as JSON text. A trap (out of memory, a stack that is too deep) leaves an
//! instance in an unknown state: whoever calls it drops the instance and makes another.

mod archive;
mod catalogue;
mod checked;
mod checker;
#[cfg(target_arch = "wasm32")]
mod memory;
mod parse_cache;
mod positions;
mod settings;

use wasm_bindgen::prelude::wasm_bindgen;

pub use archive::ArchiveScript;
pub use catalogue::catalogue;
pub use checked::{Checked, Rewriting};
pub use checker::Checker;
pub use parse_cache::ParseCache;
pub use positions::{decode, positions};

/// Runs once, when the module is made.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen(start)]
pub fn start() {
    memory::start();
    // A panic ends in a trap that says nothing: its words go to whoever called, as an `Error`. The instance is as unknown
    // after it as after a trap.
    std::panic::set_hook(Box::new(|panic| wasm_bindgen::throw_str(&panic.to_string())));
}

/// The module's version.
#[wasm_bindgen]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
