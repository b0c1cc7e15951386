//! Rows from one server to another, and what is built on them: in parallel, and so that a run that ends anywhere can
//! go on from there.
//!
//! In the order data flows: [`table`] (what there is), [`format`](mod@format) and [`part`] (how it goes over), [`holder`]
//! (the snapshot and its locks), [`ends`] (reading and writing), [`step`] and [`marks`] (what is done), [`config`]
//! (extensions' own rows), [`objects`] (large objects),
//! [`sequences`], [`builds`] (what post-data holds), [`pool`] (who does what when).

pub mod builds;
pub mod config;
pub mod ends;
pub mod format;
pub mod holder;
mod job_rows;
pub mod marks;
pub mod objects;
pub mod part;
pub mod pool;
pub mod rate;
pub mod retry;
pub mod sequences;
pub mod statements;
pub mod step;
pub mod table;
