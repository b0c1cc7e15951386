//! What waits until TimescaleDB's restoring mode has ended.

use std::collections::BTreeSet;

use tsmigrate_analyzer::parse::{self, NodeEnum, pg};

use super::{Builds, ForeignKeys, relation};
use crate::engine::allowed;
use crate::names::Relation;
use crate::script::Statement;

/// What waits until TimescaleDB's restoring mode has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AfterRestoring {
    /// Those that refer to a hypertable.
    pub foreign_keys: Vec<ForeignKeys>,
    /// Of the tables at both servers of these keys, and of those that become hypertables.
    pub row_security: Vec<Statement>,
    /// What would be in the way of rows that move from a table into its chunks: triggers fire on each.
    pub of_converted: Vec<Statement>,
}

impl Builds {
    /// Takes out what cannot be done in restoring mode, where a hypertable looks empty: foreign keys that refer to one
    /// would be refused (23503), and TimescaleDB would not guard the referenced rows in its chunks. And what has to wait
    /// until the tables `converted` are hypertables, which they become then.
    pub fn take_after_restoring(
        &mut self,
        hypertables: &BTreeSet<Relation>,
        converted: &BTreeSet<Relation>,
    ) -> AfterRestoring {
        let (foreign_keys, now): (Vec<_>, _) =
            std::mem::take(&mut self.foreign_keys).into_iter().partition(|keys| {
                !keys.references.is_disjoint(hypertables) || !keys.references.is_disjoint(converted)
            });
        self.foreign_keys = now;
        let waits = |table: &Relation| {
            converted.contains(table)
                || foreign_keys.iter().any(|keys| keys.table == *table || keys.references.contains(table))
        };
        let (late, now): (Vec<_>, _) =
            std::mem::take(&mut self.row_security).into_iter().partition(|(table, _)| waits(table));
        self.row_security = now;
        let mut of_converted = Vec::new();
        if !converted.is_empty() {
            (of_converted, self.rest) = std::mem::take(&mut self.rest)
                .into_iter()
                .partition(|statement| about(&statement.sql).is_some_and(|table| converted.contains(&table)));
        }
        AfterRestoring {
            foreign_keys,
            row_security: late.into_iter().map(|(_, statement)| statement).collect(),
            of_converted,
        }
    }
}

/// The table of a trigger or a rule, of its state or its comment.
fn about(sql: &str) -> Option<Relation> {
    let parsed = parse::parse(sql, true).ok().flatten()?;
    match parsed.node() {
        NodeEnum::CreateTrigStmt(create) => relation(create.relation.as_ref()),
        NodeEnum::RuleStmt(create) => relation(create.relation.as_ref()),
        NodeEnum::AlterTableStmt(alter) => relation(alter.relation.as_ref()),
        NodeEnum::CommentStmt(comment)
            if matches!(comment.objtype(), pg::ObjectType::ObjectTrigger | pg::ObjectType::ObjectRule) =>
        {
            match &allowed::commented(comment)[..] {
                [schema, table, _] => Some(Relation::new(schema, table)),
                _ => None,
            }
        }
        _ => None,
    }
}
