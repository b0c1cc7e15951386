//! The runtime of commands that work on servers.

use super::failure::{Failure, words};

/// What runs work on servers. `pg_query` walks a statement's tree on the stack, and a worker's default of 2 MB is soon full.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(64 << 20)
        .build()
        .map_err(|error| Failure::new(format!("cannot start: {}", words(&error))))
}
