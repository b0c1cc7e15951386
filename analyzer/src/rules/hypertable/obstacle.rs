//! One thing that stands in the way of making a table a hypertable.

use super::tables::{Table, Tables};
use crate::facts::names::quoted;
use crate::facts::{Column, ObjectId};
use crate::finding::{Place, ServerError, Severity};
use crate::rule::Rule;

/// One obstacle.
#[derive(Debug)]
pub(crate) struct Obstacle {
    /// Its rule.
    pub rule: &'static Rule,
    /// Where the dump makes it.
    pub place: Place,
    /// What it is about, where that is not the table itself.
    pub object: Option<String>,
    /// What it is.
    pub message: String,
    /// What the server answers.
    pub server: Option<ServerError>,
    /// What to do.
    pub advice: String,
    /// How bad it is for a table that has to be a hypertable.
    pub severity: Severity,
    /// Its cure takes something away that an application may need: a person decides.
    pub decision: bool,
}

/// When the table becomes a hypertable.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When<'a> {
    /// By a statement of the dump.
    Now {
        /// `migrate_data => true`.
        migrates: bool,
    },
    /// After the restore, with these other tables.
    Later(&'a [&'a ObjectId]),
}

/// A table that is to become a hypertable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewHypertable<'a> {
    /// All tables.
    pub tables: &'a Tables<'a>,
    /// The table.
    pub table: Table<'a>,
    /// Its columns to divide by, the time column first.
    pub columns: &'a [&'a str],
    /// When.
    pub when: When<'a>,
}

impl<'a> NewHypertable<'a> {
    /// The table's name with its schema.
    pub(crate) fn path(&self) -> String {
        self.table.id.path()
    }

    /// The name of the time column.
    pub(crate) fn time(&self) -> &'a str {
        self.columns.first().copied().unwrap_or_default()
    }

    /// The time column, where the dump creates it.
    pub(crate) fn time_column(&self) -> Option<&'a Column> {
        self.table.column(self.time())
    }

    /// An obstacle that is the table itself: it is divided or inherits already.
    pub(crate) fn already_partitioned(
        &self,
        rule: &'static Rule,
        message: String,
        (state, detail): (&'static str, &str),
        advice: String,
    ) -> Obstacle {
        let error = format!("table \"{}\" is already partitioned", self.table.id.name);
        Obstacle {
            rule,
            place: self.table.relation.place,
            object: Some(format!("table {}", self.path())),
            message,
            server: Some(ServerError::new(state, error).detail(detail)),
            advice,
            severity: Severity::Error,
            decision: false,
        }
    }

    /// An obstacle of the time column.
    pub(crate) fn of_time_column(
        &self,
        rule: &'static Rule,
        message: String,
        server: ServerError,
        advice: String,
        severity: Severity,
    ) -> Obstacle {
        Obstacle {
            rule,
            place: self.table.relation.place,
            object: Some(format!("column {}.{}", self.path(), quoted(self.time()))),
            message,
            server: Some(server),
            advice,
            severity,
            decision: false,
        }
    }
}

/// The server's DETAIL about tables that inherit.
pub(crate) const INHERITS: &str = "It is not possible to turn tables that use inheritance into hypertables.";
