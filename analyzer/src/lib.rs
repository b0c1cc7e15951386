//! Reads the text of a PostgreSQL dump with PostgreSQL's own parser, finds what a managed Timescale
//! service cannot take, and rewrites what can be rewritten, each rewrite proved.
//!
//! No I/O, no clock, no threads, no environment: text in, report out. A thread that calls it needs
//! [`parse::STACK`] bytes of stack.

mod allow;
pub mod analysis;
pub mod archive;
pub mod batches;
pub mod body;
pub mod clean;
pub mod conversion;
pub mod edit;
pub mod facts;
pub mod finding;
mod grow;
pub mod human;
pub mod input;
pub mod locate;
pub mod moving;
pub mod options;
pub mod order;
pub mod parse;
pub mod parse_cache;
pub mod quote;
pub mod report;
pub mod rewrite;
pub mod rule;
pub mod rules;
pub mod secrets;
pub mod server;
pub mod split;
pub mod target;
pub mod text;

pub use analysis::{Analysis, Analyzer, Input, analyze, analyze_moved};
pub use edit::{Action, Edit, Fix, Safety};
pub use facts::Facts;
pub use finding::Severity;
pub use input::InputError;
pub use options::{Level, Options};
pub use parse_cache::ParseCache;
pub use report::Report;
pub use rewrite::{Rewriter, Style};
pub use rule::Finding;
pub use target::Target;
