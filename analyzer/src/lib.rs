//! Reads the text of a PostgreSQL dump with PostgreSQL's own parser, finds what a managed Timescale
//! service cannot take, and rewrites what can be rewritten, each rewrite proved.
//!
//! No I/O, no clock, no threads, no environment: text in, report out.

pub mod edit;
pub mod facts;
pub mod finding;
pub mod locate;
pub mod parse;
pub mod split;
pub mod target;
pub mod text;
