//! Archives of `pg_dump`, in its custom, directory and tar formats: their table of contents, and the script that
//! `pg_restore` makes of it.
//!
//! The format is described nowhere but in PostgreSQL's own program (`src/bin/pg_dump/pg_backup_archiver.c`), so
//! `pg_restore` is the oracle: `tests/tests/archives.rs` compares both scripts.

mod head;
mod large_objects;
mod script;
mod toc;

pub use head::{Damage, int};
pub use script::{Part, Script};
pub use toc::{Compression, Entry, Format, Place, Section, Toc};

/// The first bytes of an archive's table of contents.
pub const MAGIC: &[u8] = b"PGDMP";
