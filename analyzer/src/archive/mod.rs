//! Archives of `pg_dump`, in its custom, directory and tar formats: their table of contents, and the script that
//! `pg_restore` makes of it.
//!
//! The format is described nowhere but in PostgreSQL's own program (`src/bin/pg_dump/pg_backup_archiver.c`), so
//! `pg_restore` is the oracle: `tests/tests/archives.rs` compares both scripts.

mod head;
mod large_objects;
mod looked_at;
mod script;
mod sound;
mod toc;
mod write;

pub use head::{Damage, int};
pub use looked_at::ROWS_END;
pub use script::{Field, Part, Pieces, Script};
pub use toc::{Compression, Entry, Format, Place, Section, Toc};
pub use write::push_int;

/// The first bytes of an archive's table of contents.
pub const MAGIC: &[u8] = b"PGDMP";
