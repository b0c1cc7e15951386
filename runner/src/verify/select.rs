//! `--include` and `--exclude`: which schemas and tables are compared.

use std::sync::Arc;

use super::identity::{self, Place};
use crate::converted::Conversions;
use crate::error::Error;
use crate::filter::{self, Filter, Pattern};
use crate::moving::Moving;
use crate::names::Relation;
use crate::timescale::INVALIDATION_TRIGGER;

/// What a migration was told to leave behind or to change.
#[derive(Clone, Debug, Default)]
pub struct Chosen {
    /// What came over.
    pub filter: Filter,
    /// Tables that became hypertables.
    pub convert: Conversions,
    /// What became of its schemas, where they moved.
    pub moving: Option<Arc<Moving>>,
    /// It keeps its schemas, and other databases have come into others beside it.
    pub has_others: bool,
}

/// What is compared.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
    chosen: Chosen,
}

impl Selection {
    /// Reads the patterns, in the form that `migrate` reads them.
    pub(super) fn new(include: &[String], exclude: &[String], chosen: Chosen) -> Result<Self, Error> {
        let patterns = |texts: &[String]| -> Result<Vec<Pattern>, Error> {
            let read = |text: &String| {
                Pattern::new(text).map_err(|why| Error::Refused {
                    what: format!("the pattern {text} cannot be read: {why}"),
                    next: vec!["write a schema (sales) or a table (sales.orders, sales.*)".into()],
                })
            };
            filter::joined(texts).iter().map(read).collect()
        };
        Ok(Self { include: patterns(include)?, exclude: patterns(exclude)?, chosen })
    }

    /// Nothing is left out.
    pub(super) fn is_all(&self) -> bool {
        self.include.is_empty()
            && self.exclude.is_empty()
            && self.chosen.filter.is_whole()
            && !self.converts()
    }

    /// Some tables did not come over.
    pub(super) fn leaves_out(&self) -> bool {
        !self.chosen.filter.left_out().is_empty()
    }

    /// Some tables became hypertables.
    pub(super) fn converts(&self) -> bool {
        !self.chosen.convert.wanted().is_empty()
    }

    /// The table became a hypertable.
    pub(super) fn is_converted(&self, table: &Relation) -> bool {
        self.chosen.convert.has(table)
    }

    /// Partitioned tables that became hypertables.
    pub(super) fn partitioned(&self) -> impl Iterator<Item = &Relation> {
        self.chosen.convert.partitioned()
    }

    /// What a partitioned table loses or gains where it becomes a hypertable.
    pub(super) fn reshapes(&self, kind: &str, what: &str, identity: &str) -> bool {
        kind == "table"
            && ["access method", "partition key", "persistence"].contains(&what)
            && self.partitioned().any(|table| table.to_string() == identity)
    }

    /// What TimescaleDB says of a hypertable or an aggregate whose rows stayed behind.
    pub(super) fn empties(&self, kind: &str, what: &str, identity: &str) -> bool {
        matches!((kind, what), ("hypertable", "chunks") | ("continuous aggregate", "watermark"))
            && self.leaves_rows(kind, identity)
    }

    fn leaves_rows(&self, kind: &str, identity: &str) -> bool {
        matches!(identity::place(kind, identity), Place::Schema(relation) if self.chosen.filter.leaves_rows(&relation))
    }

    /// Jobs and triggers that did not come, and chunks of hypertables without rows.
    fn left_by_timescale(&self, kind: &str, identity: &str) -> bool {
        let filter = &self.chosen.filter;
        match kind {
            "job" => {
                let id = identity.split(' ').next().and_then(|id| id.parse().ok());
                id.is_some_and(|id| !filter.has_job(id))
            }
            "chunk" => self.leaves_rows(kind, identity),
            "trigger" => {
                let table =
                    identity.strip_prefix(INVALIDATION_TRIGGER).and_then(|rest| rest.strip_prefix(" on "));
                let table = table.and_then(|table| table.parse().ok());
                table.is_some_and(|table: Relation| filter.is_unwatched(&table))
            }
            _ => false,
        }
    }

    /// What TimescaleDB adds to a table that became a hypertable.
    fn added(&self, identity: &str) -> bool {
        let table = identity.strip_prefix("ts_insert_blocker on ").and_then(|table| table.parse().ok());
        table.is_some_and(|table: Relation| self.chosen.convert.has(&table))
    }

    pub(super) fn has(&self, relation: &Relation) -> bool {
        (self.include.is_empty() || self.include.iter().any(|pattern| pattern.covers(relation)))
            && !self.exclude.iter().any(|pattern| pattern.covers(relation))
            && self.chosen.filter.has(relation)
            && !self.chosen.convert.is_partition(relation)
    }

    /// An object that may have a schema in its identity (`trigger t on app.x`, `app.x`); those without are compared
    /// unless only some schemas are.
    pub(super) fn has_object(&self, kind: &str, identity: &str) -> bool {
        if self.is_all() {
            return true;
        }
        if self.converts() && self.added(identity) || self.left_by_timescale(kind, identity) {
            return false;
        }
        match identity::place(kind, identity) {
            Place::Schema(relation) => self.has(&relation),
            Place::Database(schema) if kind == "schema" => {
                (self.include.is_empty() || self.include.iter().any(|p| p.reaches(&schema)))
                    && !self.exclude.iter().any(|p| p.takes_schema(&schema))
                    && self.chosen.filter.has_schema(&schema)
            }
            // What is in no schema is left out where schemas are named, but roles and extensions.
            Place::Database(_) => {
                self.include.is_empty()
                    && (!self.chosen.filter.names_schemas() || matches!(kind, "role" | "extension" | "job"))
            }
        }
    }

    /// A pattern that no table and no schema of the source matches is a mistake.
    pub(super) fn check(&self, relations: &[&Relation]) -> Result<(), Error> {
        for pattern in self.include.iter().chain(&self.exclude) {
            if !relations.iter().any(|relation| pattern.covers(relation)) {
                return Err(Error::Pattern(pattern.text().to_owned()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(schema: &str, name: &str) -> Relation {
        Relation::new(schema, name)
    }

    #[test]
    fn patterns_choose_schemas_and_tables() {
        let selection =
            Selection::new(&["sales".into(), "app.*_log".into()], &["sales.tmp*".into()], Chosen::default())
                .expect("patterns");
        assert!(selection.has(&table("sales", "orders")));
        assert!(!selection.has(&table("sales", "tmp1")));
        assert!(selection.has(&table("app", "web_log")));
        assert!(!selection.has(&table("app", "users")));
    }

    #[test]
    fn patterns_are_written_as_postgresql_writes_names() {
        let selection =
            Selection::new(&["Sales.\"Odd.One\"".into()], &[], Chosen::default()).expect("patterns");
        assert!(selection.has(&table("sales", "Odd.One")) && !selection.has(&table("sales", "odd.one")));
        assert!(Selection::new(&["\"open".into()], &[], Chosen::default()).is_err());
    }

    #[test]
    fn objects_follow_their_table() {
        let selection = Selection::new(&["app.users".into()], &[], Chosen::default()).expect("patterns");
        assert!(selection.has_object("trigger", "t on app.users"));
        assert!(selection.has_object("column", "app.users.id"));
        assert!(selection.has_object("comment", "on table app.users"));
        assert!(selection.has_object("comment", "on table constraint c on app.users"));
        assert!(!selection.has_object("comment", "on function app.add(integer, integer)"));
        assert!(selection.has_object("chunk", "app.users [2024-01-01 00:00:00, 2024-01-02 00:00:00)"));
        assert!(selection.has_object("job", "1000 policy_compression on app.users"));
        assert!(!selection.has_object("index", "app.i on app.orders"));
        assert!(!selection.has_object("role", "someone"));
        assert!(selection.has_object("schema", "app"));
        assert!(
            Selection::new(&[], &["x".into()], Chosen::default())
                .expect("patterns")
                .has_object("role", "someone")
        );
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_a_mistake() {
        let selection = Selection::new(&["nothing".into()], &[], Chosen::default()).expect("patterns");
        assert!(selection.check(&[&table("app", "users")]).is_err());
    }
}
