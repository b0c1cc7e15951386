//! Moves a database's schemas into other names of the service's one database: `public` of crm becomes `crm`.
//!
//! Two passes over the inputs come before the analysis. [`Surveyor`] reads what each database creates; [`Mover`] writes
//! the changes of each input, statement by statement: the tree names every schema, tokens tell the bytes, and the result is
//! parsed again and has to be the old tree with exactly these names changed. What cannot be proved so is an [`Unmoved`](crate::finding::Unmoved).

mod body;
mod fields;
mod map;
mod mover;
mod names;
mod places;
mod probe;
mod scope;
mod statement;
mod survey;
#[cfg(test)]
mod tests;
mod text;

pub use map::{DatabaseMap, SchemaMap, into_schema};
pub use mover::{Mover, Moves};
pub use survey::{Database, Survey, Surveyor};

use std::ops::Range;

use crate::finding::Why;

/// A place that is not proved.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Doubt {
    why: Why,
    range: Range<usize>,
}

/// What cannot be moved at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoveError {
    /// The inputs have no database of this name.
    #[error("no dump has a database {0}")]
    NoDatabase(String),
    /// Several databases would become one.
    #[error("the dumps hold several databases")]
    Several(Vec<String>),
    /// A database has hypertables: TimescaleDB's catalogs name schemas in rows.
    #[error("{0} has hypertables, whose schemas TimescaleDB keeps in rows of its own catalogs")]
    Hypertables(String),
}

impl SchemaMap {
    /// Looks at what the inputs hold.
    ///
    /// # Errors
    /// Where the schemas cannot be moved.
    pub fn check(&self, survey: &Survey) -> Result<(), MoveError> {
        let with_objects = || survey.databases.iter().filter(|(_, database)| database.has_objects);
        for name in self.databases.keys() {
            if !survey.databases.contains_key(name) {
                return Err(MoveError::NoDatabase(name.clone()));
            }
        }
        if self.only.is_some() && survey.connected.len() > 1 {
            return Err(MoveError::Several(survey.connected.iter().cloned().collect()));
        }
        for (name, database) in with_objects() {
            if database.hypertables && self.database(name).is_some() {
                let name =
                    if name.is_empty() { "the database".to_owned() } else { format!("database {name}") };
                return Err(MoveError::Hypertables(name));
            }
        }
        Ok(())
    }
}
