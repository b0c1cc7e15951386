//! Constraints and unique indexes that rows may break, as a person has said: how each is built all the same.

use std::collections::{BTreeMap, BTreeSet};

use tsmigrate_analyzer::facts::names::strings;
use tsmigrate_analyzer::parse::{self, NodeEnum, pg};

use crate::names::Relation;

/// Foreign key, unique index, CHECK, exclusion constraint: rows break it.
pub const BY_ROWS: [&str; 4] = ["23503", "23505", "23514", "23P01"];

/// An index, a constraint or a unique key that a statement needs does not exist.
pub(super) const NO_KEY: [&str; 2] = ["42704", "42830"];

/// Why something may stay away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum May {
    /// Rows may break it.
    BreakIt,
    /// It refers to a key that rows may break.
    LackItsKey,
}

/// What is tried in place of a build that the target refuses for such a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instead {
    /// The reason.
    pub may: May,
    /// Statements, each in place of all; an empty one leaves the build out.
    pub sql: Vec<String>,
}

impl Instead {
    /// Whether an error of the target, by its SQLSTATE, is such a reason.
    #[must_use]
    pub fn answers(&self, code: &str) -> bool {
        NO_KEY.contains(&code) || self.may == May::BreakIt && BY_ROWS.contains(&code)
    }
}

/// Constraints and indexes that may stay away, by their names.
#[derive(Clone, Debug, Default)]
pub struct Allowed(BTreeMap<String, May>);

impl Allowed {
    /// Takes one in. What rows may break stays so.
    pub fn add(&mut self, table: &Relation, name: &str, may: May) {
        let entry = self.0.entry(table.part(name)).or_insert(may);
        if may == May::BreakIt {
            *entry = may;
        }
    }

    /// Whether and why a constraint or an index of a table may stay away; then `sql` is tried in its place, and after
    /// that it is left out.
    #[must_use]
    pub fn instead(&self, table: &Relation, name: &str, sql: &[String]) -> Option<Instead> {
        let may = *self.0.get(&table.part(name))?;
        Some(Instead { may, sql: sql.iter().cloned().chain([String::new()]).collect() })
    }
}

/// The parts of the name of what a comment is on; none where it has another form.
pub(super) fn commented(comment: &pg::CommentStmt) -> Vec<&str> {
    match comment.object.as_ref().and_then(|object| object.node.as_ref()) {
        Some(NodeEnum::List(list)) => strings(&list.items),
        _ => Vec::new(),
    }
}

/// Whether a statement of post-data is about one of these indexes, which do not exist.
#[must_use]
pub fn is_about(sql: &str, indexes: &BTreeSet<Relation>) -> bool {
    let parsed = parse::parse(sql, true).ok().flatten();
    let gone = |schema: &str, name: &str| indexes.contains(&Relation::new(schema, name));
    match parsed.as_ref().map(parse::Parsed::node) {
        Some(NodeEnum::CommentStmt(comment)) => {
            let names = commented(comment);
            let of_index = comment.objtype() == pg::ObjectType::ObjectIndex;
            let of_constraint = comment.objtype() == pg::ObjectType::ObjectTabconstraint;
            matches!(&names[..], [schema, name] if of_index && gone(schema, name))
                || matches!(&names[..], [schema, _, name] if of_constraint && gone(schema, name))
        }
        Some(NodeEnum::AlterTableStmt(alter)) => {
            let Some(relation) = &alter.relation else { return false };
            let by =
                |command: &pg::AlterTableCmd| match command.def.as_ref().and_then(|def| def.node.as_ref()) {
                    Some(NodeEnum::PartitionCmd(attach)) => {
                        attach.name.as_ref().is_some_and(|index| gone(&index.schemaname, &index.relname))
                    }
                    Some(NodeEnum::ReplicaIdentityStmt(identity)) => {
                        gone(&relation.schemaname, &identity.name)
                    }
                    _ => {
                        command.subtype() == pg::AlterTableType::AtClusterOn
                            && gone(&relation.schemaname, &command.name)
                    }
                };
            alter.objtype() == pg::ObjectType::ObjectIndex && gone(&relation.schemaname, &relation.relname)
                || alter.cmds.iter().any(
                    |command| matches!(&command.node, Some(NodeEnum::AlterTableCmd(command)) if by(command)),
                )
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_an_index_that_was_left_out_is_known() {
        let gone = BTreeSet::from([Relation::new("s", "K")]);
        for sql in [
            "ALTER INDEX s.parent ATTACH PARTITION s.\"K\"",
            "ALTER TABLE s.t CLUSTER ON \"K\"",
            "ALTER TABLE ONLY s.t REPLICA IDENTITY USING INDEX \"K\"",
            "COMMENT ON INDEX s.\"K\" IS 'x'",
            "COMMENT ON CONSTRAINT \"K\" ON s.t IS 'x'",
            "ALTER INDEX s.\"K\" ALTER COLUMN 1 SET STATISTICS 5",
        ] {
            assert!(is_about(sql, &gone), "{sql}");
        }
        for sql in [
            "ALTER TABLE s.t CLUSTER ON k",
            "COMMENT ON INDEX o.\"K\" IS 'x'",
            "ALTER TABLE s.\"K\" ADD a int",
        ] {
            assert!(!is_about(sql, &gone), "{sql}");
        }
    }
}
