//! Analysis: one forward pass over the inputs, from pieces of text to facts, findings and planned changes.
//!
//! | file | what it does |
//! |---|---|
//! | `session` | begins, feeds and ends inputs: [`Analyzer`] |
//! | `comments` | holds a statement until its line has ended, for a comment that allows a finding |
//! | `pieces` | takes the pieces of an input in their order, and has the rules check each |
//! | `sections` | keeps one database of a cluster dump |
//! | `census` | what each database of a cluster dump creates |
//! | `bytes`, `row_bytes` | the bytes of statements and rows: what is no text |
//! | `unjudged` | what runs during the restore and is not judged |
//! | `copy` | what the rows of a COPY decide, and what goes with them |
//! | `statement` | chooses the fixes of one statement, edits it, and proves the result |
//! | `allowances` | which findings the comments of the dumps allow |
//! | `levels` | what a rule's findings count as |
//! | `options` | reads the rules that options name |
//! | `plan` | turns solved findings into changes of the inputs |
//! | `state`, `result` | what the pass knows between two pieces; what comes out of it |

mod allowances;
mod bytes;
mod census;
mod comments;
mod copy;
mod levels;
mod options;
mod pieces;
mod plan;
mod result;
mod row_bytes;
mod sections;
mod session;
mod state;
mod statement;
mod transaction;
mod undo;
mod unjudged;

pub use census::DatabaseCensus;
pub use options::LevelError;
pub use result::{Analysis, Input, InputSummary};
pub use session::{Analyzer, analyze, analyze_moved};
#[cfg(test)]
pub(crate) use state::ASK_ALL_RULES;
