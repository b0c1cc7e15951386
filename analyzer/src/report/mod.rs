//! The one serialisable form of an analysis, and the formats it is written in: for the command line, for programs
//! and for pages.
//!
//! A report borrows the analysis and is written as a stream: it takes a few bytes for each finding.

mod around;
mod behind;
mod choice;
mod class;
mod databases;
mod decisions;
mod diff;
mod entries;
mod format;
mod github;
mod groups;
mod html;
mod json;
mod leave_out;
mod losses;
mod markdown;
mod merge;
pub mod page;
mod sarif;
mod shape;
mod view;
mod whole;
mod words;

pub use around::{Around, Block, Section, Step};
pub use choice::{Choice, Way};
pub use class::Class;
pub use databases::{DatabaseEntry, Fate, SchemaEntry};
pub use decisions::Decision;
pub use entries::{Entries, Entry, RelatedEntries, RelatedEntry, to_accept};
pub use format::Format;
pub use groups::Group;
pub use json::SCHEMA;
pub use losses::Loss;
pub use shape::{
    Counts, InputReport, ListSummary, NotJudgedEntry, OptionsSummary, PlaceEntry, TargetSummary, Tool,
    Verdict,
};
pub use whole::{Report, VERSION};
pub use words::Words;

pub use crate::human::{count, plural, thousands};
