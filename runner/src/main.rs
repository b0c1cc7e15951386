//! The command line of tsmigrate.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
