//! `--include` and `--exclude`: which schemas and tables are compared.

use crate::converted::Conversions;
use crate::engine::table::Relation;
use crate::error::Error;
use crate::filter::{self, Filter, Pattern};

/// What a migration was told to leave behind or to change.
#[derive(Clone, Debug, Default)]
pub struct Chosen {
    /// What came over.
    pub filter: Filter,
    /// Tables that became hypertables.
    pub convert: Conversions,
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
    pub(super) fn is_converted(&self, table: &super::catalog::Relation) -> bool {
        self.chosen.convert.has(&Relation::new(&table.schema, &table.name))
    }

    /// Partitioned tables that became hypertables.
    pub(super) fn partitioned(&self) -> impl Iterator<Item = super::catalog::Relation> {
        let tables = self.chosen.convert.partitioned();
        tables
            .map(|table| super::catalog::Relation { schema: table.schema.clone(), name: table.name.clone() })
    }

    /// What TimescaleDB adds to a table that became a hypertable.
    fn added(&self, identity: &str) -> bool {
        identity.strip_prefix("ts_insert_blocker on ").is_some_and(|table| match names(table) {
            (schema, Some(name)) => self.chosen.convert.has(&Relation::new(&schema, &name)),
            _ => false,
        })
    }

    pub(super) fn has(&self, schema: &str, table: &str) -> bool {
        (self.include.is_empty() || self.include.iter().any(|pattern| pattern.covers(schema, table)))
            && !self.exclude.iter().any(|pattern| pattern.covers(schema, table))
            && self.chosen.filter.has(schema, table)
            && !self.chosen.convert.is_partition(&Relation::new(schema, table))
    }

    /// An object that may have a schema in its identity (`trigger t on app.x`, `app.x`); those without are compared
    /// unless only some schemas are.
    pub(super) fn has_object(&self, kind: &str, identity: &str) -> bool {
        if self.is_all() {
            return true;
        }
        if self.converts() && self.added(identity) {
            return false;
        }
        // `on table app.x`, `app.x [2024-01-01, 2024-01-02)`, `materialization of app.x`, `trigger t on app.x`
        let comment = identity.strip_prefix("on ").filter(|_| kind == "comment");
        let identity = comment.unwrap_or(identity).split(" [").next().unwrap_or_default();
        let relation = identity.rsplit_once(" on ").map_or(identity, |(_, relation)| relation);
        let relation = ["for ", "materialization of "]
            .iter()
            .find_map(|start| relation.strip_prefix(start))
            .unwrap_or(relation)
            .split('(')
            .next()
            .unwrap_or_default();
        let relation = match comment {
            Some(_) => relation.trim_end().rsplit(' ').next().unwrap_or_default(),
            None => relation,
        };
        match names(relation) {
            (schema, Some(name)) => self.has(&schema, &name),
            (schema, None) if kind == "schema" => {
                (self.include.is_empty() || self.include.iter().any(|p| p.reaches(&schema)))
                    && !self.exclude.iter().any(|p| p.takes_schema(&schema))
                    && self.chosen.filter.has_schema(&schema)
            }
            // What is in no schema is left out where schemas are named, but roles and extensions.
            _ => {
                self.include.is_empty()
                    && (!self.chosen.filter.names_schemas() || matches!(kind, "role" | "extension"))
            }
        }
    }

    /// A pattern that no table and no schema of the source matches is a mistake.
    pub(super) fn check(&self, relations: &[(&str, &str)]) -> Result<(), Error> {
        for pattern in self.include.iter().chain(&self.exclude) {
            if !relations.iter().any(|(schema, table)| pattern.covers(schema, table)) {
                return Err(Error::Pattern(pattern.text().to_owned()));
            }
        }
        Ok(())
    }
}

/// The first two names of `"a.b".c.d`.
fn names(text: &str) -> (String, Option<String>) {
    let mut names = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            '.' if !quoted => names.push(String::new()),
            c => {
                if let Some(name) = names.last_mut() {
                    name.push(c);
                }
            }
        }
    }
    let mut names = names.into_iter();
    (names.next().unwrap_or_default(), names.next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_choose_schemas_and_tables() {
        let selection =
            Selection::new(&["sales".into(), "app.*_log".into()], &["sales.tmp*".into()], Chosen::default())
                .expect("patterns");
        assert!(selection.has("sales", "orders"));
        assert!(!selection.has("sales", "tmp1"));
        assert!(selection.has("app", "web_log"));
        assert!(!selection.has("app", "users"));
    }

    #[test]
    fn patterns_are_written_as_postgresql_writes_names() {
        let selection =
            Selection::new(&["Sales.\"Odd.One\"".into()], &[], Chosen::default()).expect("patterns");
        assert!(selection.has("sales", "Odd.One") && !selection.has("sales", "odd.one"));
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
    fn quoted_names_may_hold_dots() {
        assert_eq!(names("\"a.b\".c.d"), ("a.b".into(), Some("c".into())));
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_a_mistake() {
        let selection = Selection::new(&["nothing".into()], &[], Chosen::default()).expect("patterns");
        assert!(selection.check(&[("app", "users")]).is_err());
    }
}
