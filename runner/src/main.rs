//! The command line of tsmigrate.

mod cli;

use std::process::ExitCode;

/// Parse trees are many small pieces that one thread makes and another gives back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
