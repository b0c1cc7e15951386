//! What stands in the way of making a table a hypertable. Each rule says so for itself.

use super::tables::{Table, Tables};
use super::{
    ht_02_unique, ht_03_partitioned, ht_04_partition, ht_05_inheritance, ht_06_rule, ht_07_foreign_key,
    ht_08_transition_trigger, ht_09_nonempty, ht_10_column_type, ht_11_generated, ht_12_nullable,
    ht_13_no_inherit, ht_15_column_types, ht_17_columnstore_security, ht_18_publication,
};
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

/// How a rule says what stands in the way.
type Check = fn(&NewHypertable<'_>, &mut Vec<Obstacle>);

/// In the order in which the server looks.
const CHECKS: [Check; 15] = [
    ht_03_partitioned::obstacle,
    ht_04_partition::obstacle,
    ht_05_inheritance::obstacle,
    ht_06_rule::obstacle,
    ht_08_transition_trigger::obstacle,
    ht_18_publication::obstacle,
    ht_11_generated::obstacle,
    ht_10_column_type::obstacle,
    ht_12_nullable::obstacle,
    ht_15_column_types::obstacle,
    ht_13_no_inherit::obstacle,
    ht_02_unique::obstacle,
    ht_07_foreign_key::obstacle,
    ht_09_nonempty::obstacle,
    ht_17_columnstore_security::obstacle,
];

/// Everything that stands in the way of a hypertable with these columns, the time column first.
pub(crate) fn obstacles(
    tables: &Tables<'_>,
    table: &Table<'_>,
    columns: &[&str],
    when: When<'_>,
) -> Vec<Obstacle> {
    let new = NewHypertable { tables, table: *table, columns, when };
    let mut found = Vec::new();
    for check in CHECKS {
        check(&new, &mut found);
    }
    found
}
