//! Rows from one server to another, and what is built on them: in parallel, and so that a run that ends anywhere can
//! go on from there.
//!
//! In the order data flows: [`holder`] (the snapshot and its locks), [`copy`] (reading and writing), [`marks`] (what is
//! done), [`config`] (extensions' own rows), [`objects`] (large objects), [`sequences`], [`builds`] (what post-data holds),
//! [`pool`] (who does what when).

pub mod builds;
pub mod config;
pub mod copy;
pub mod holder;
mod job_rows;
pub mod marks;
pub mod objects;
mod plannable;
pub mod pool;
mod queue;
pub mod rate;
pub mod retry;
pub mod sequences;
pub mod statements;
