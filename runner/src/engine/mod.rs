//! Rows from one server to another, and what is built on them: in parallel, and so that a run that ends anywhere can
//! go on from there.
//!
//! In the order data flows: [`holder`] (the snapshot and its locks), [`copy`] (reading), [`rows`] (from a server or an archive), [`sums`] (checksums of what an archive gave), [`target`] (writing), [`marks`]
//! (what is done), [`config`] (extensions' own rows), [`objects`] (large objects), [`sequences`], [`builds`] (what post-data holds),
//! [`allowed`] (what of it may stay away), [`pool`] (one piece of work), `together` (many small tables at once), [`load`] (who does what when).

pub mod allowed;
mod broken;
pub mod broken_keys;
pub mod builds;
mod chunk_sizes;
pub mod config;
pub mod copy;
pub mod fields;
pub mod holder;
mod job_rows;
pub mod load;
pub mod marks;
pub(crate) mod null_batches;
pub mod objects;
mod plannable;
pub mod pool;
mod queue;
pub mod rate;
pub mod retry;
pub mod rows;
pub mod sequences;
pub mod statements;
pub mod sums;
pub mod target;
mod together;
mod trial;
