//! What a person reads beside the result.

use std::io::{self, IsTerminal, Write};

/// A line for a person, beside the result.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// True where a person reads the standard error.
pub(super) fn on_terminal() -> bool {
    io::stderr().is_terminal()
}
