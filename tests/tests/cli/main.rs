//! The command line as people meet it: texts, exit statuses, and that nothing is written where it should not be.

// A test that cannot go on fails: that is what its unwraps and panics are for.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::naive_bytecount,
    clippy::similar_names,
    clippy::format_push_string
)]

mod checking;
mod commands;
mod configuration;
mod folder;
mod helping;
mod inputs;
mod moving;
mod packed;
mod program;
mod rewriting;
mod shown;
