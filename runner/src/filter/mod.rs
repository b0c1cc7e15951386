//! What comes over: `--include`, `--exclude` and `--exclude-data`, resolved to the names of a source.
//!
//! A pattern is a schema (`sales`) or a table of one (`sales.orders`), written as PostgreSQL writes names: folded to
//! lower case unless quoted. Outside quotes `*` stands for any text and `?` for one character. `--exclude` wins over
//! `--include`. What belongs together comes together: a partitioned table with its partitions, a table with the
//! sequences of its columns, an included table with the types and functions of its schema.
//!
//! A hypertable comes with its chunks, compressed rows and policies, a continuous aggregate with its materialized rows, and
//! with the rows of TimescaleDB's catalogs that belong to them. Where the rows of a hypertable stay behind, its chunks do,
//! too.

mod decided;
mod glob;
mod hypertables;
mod names;
mod resolver;

use serde::{Deserialize, Serialize};

pub use decided::Filter;
pub use glob::Pattern;
pub(crate) use glob::joined;
pub use names::{Hypertable, Job, Listed, Names, Used, names};

use crate::connect::Session;
use crate::error::{Blocker, Error};

/// The patterns of a command line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// `--include`.
    pub include: Vec<String>,
    /// `--exclude`.
    pub exclude: Vec<String>,
    /// `--exclude-data`.
    pub exclude_data: Vec<String>,
}

impl Filter {
    /// Asks a source for its names and resolves the patterns of a command line to them.
    ///
    /// # Errors
    /// When the server refuses a question, or [`Error::Preflight`] with everything that is wrong with the patterns.
    pub async fn ask(session: &Session, wish: &Wish) -> Result<Self, Error> {
        if *wish == Wish::default() {
            return Ok(Self::default());
        }
        Self::new(wish, &names::names(session).await?).map_err(Error::Preflight)
    }

    /// Resolves the patterns of a command line.
    ///
    /// # Errors
    /// Everything that is wrong with them, each with what to do.
    pub fn new(wish: &Wish, names: &Names) -> Result<Self, Vec<Blocker>> {
        let mut resolver = resolver::Resolver::new(names);
        let include = resolver.read("--include", &wish.include);
        let exclude = resolver.read("--exclude", &wish.exclude);
        let empty = resolver.read("--exclude-data", &wish.exclude_data);
        if !resolver.blockers.is_empty() {
            return Err(resolver.blockers);
        }
        let filter = resolver.resolve(&include, &exclude, &empty);
        if resolver.blockers.is_empty() { Ok(filter) } else { Err(resolver.blockers) }
    }
}

#[cfg(test)]
mod tests;
