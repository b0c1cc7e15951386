//! Rows that break constraints and unique indexes: all of them are found before a run stops for them.

use std::sync::PoisonError;

use tsmigrate_analyzer::parse::{self, NodeEnum, pg};

use super::allowed::{BY_ROWS, NO_KEY};
use super::builds::{Build, ForeignKeys};
use super::pool::Engine;
use super::target::LiveTarget;
use crate::error::{Error, Server};
use crate::names::Relation;
use crate::progress::TaskKind;
use crate::quote::identifier;

impl Engine {
    /// What rows have broken so far, as an error; none where nothing is broken. To be asked once.
    pub fn broken(&self) -> Option<Error> {
        let all = std::mem::take(&mut *self.broken.lock().unwrap_or_else(PoisonError::into_inner));
        (!all.is_empty()).then_some(Error::Rows(all))
    }

    /// Takes note of an error that rows are the reason of, or that follows from such a one.
    ///
    /// # Errors
    /// Any other.
    pub(super) fn put_off(&self, error: Error) -> Result<(), Error> {
        let mut all = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        if NO_KEY.contains(&error.code()) && !all.is_empty() {
            return Ok(());
        }
        if !BY_ROWS.contains(&error.code()) {
            return Err(error);
        }
        let constraint = |error: &Error| error.answer().and_then(|answer| answer.constraint.clone());
        let name = constraint(&error);
        let rows = |error: &Error| error.answer().and_then(|answer| answer.rows.clone());
        let is_known = |other: &Error| name.is_some() && constraint(other) == name;
        if all.iter().any(is_known) {
            // One of them knows which rows; a domain's CHECK is broken in several tables.
            if rows(&error).is_some()
                && !all.iter().any(|other| is_known(other) && rows(other) == rows(&error))
            {
                match all.iter_mut().find(|other| is_known(other) && rows(other).is_none()) {
                    Some(known) => *known = error,
                    None => all.push(error),
                }
            }
        } else {
            self.progress.warn(&format!(
                "rows break {}: everything else is copied and built first, so that all that is broken is known",
                name.as_deref().unwrap_or("a constraint")
            ));
            all.push(error);
        }
        Ok(())
    }

    /// Runs one build; where rows are the reason that it fails, the run goes on.
    ///
    /// # Errors
    /// Any other.
    pub(super) async fn one_or_put_off(
        &self,
        target: &mut LiveTarget,
        kind: TaskKind,
        build: &Build,
    ) -> Result<(), Error> {
        let Err(error) = self.one(target, kind, build).await else { return Ok(()) };
        let is_by_rows = BY_ROWS.contains(&error.code());
        self.put_off(error)?;
        // Of several keys that are checked together the server names the first.
        let each = build.sql.first().filter(|_| is_by_rows).map(|sql| validations(sql)).unwrap_or_default();
        for sql in each.iter().skip(usize::from(each.len() == 1)) {
            let session = target.session().await?;
            if let Err(error) = session.client().batch_execute(sql).await {
                self.put_off(super::statements::refused("post-data", &build.statement, Server::new(&error)))?;
            }
        }
        Ok(())
    }

    /// Adds and checks keys that wait for all rows, after others were broken: what of them is broken too is known then. One
    /// whose own key is not there yet (a broken one, or a partitioned table's, which has none until those of the partitions
    /// are attached) tells nothing.
    ///
    /// # Errors
    /// What rows are not the reason of.
    pub async fn look_for_broken(&self, keys: &[ForeignKeys]) -> Result<(), Error> {
        let mut target = LiveTarget::new(&self.target, &self.build_setup);
        let all: Vec<Build> =
            keys.iter().flat_map(|keys| keys.add.iter().chain(&keys.checks)).cloned().collect();
        for build in &all {
            if self.marks.done(&build.step).is_none() {
                match self.one_or_put_off(&mut target, TaskKind::ForeignKey, build).await {
                    Err(error) if NO_KEY.contains(&error.code()) => {}
                    result => result?,
                }
            }
        }
        Ok(())
    }
}

/// A statement for each constraint that a statement validates.
pub(super) fn validations(sql: &str) -> Vec<String> {
    let parsed = parse::parse(sql, true).ok().flatten();
    let Some(NodeEnum::AlterTableStmt(alter)) = parsed.as_ref().map(parse::Parsed::node) else {
        return Vec::new();
    };
    let Some(range) = &alter.relation else { return Vec::new() };
    let table = Relation::new(&range.schemaname, &range.relname).sql();
    let of = |command: &pg::Node| match &command.node {
        Some(NodeEnum::AlterTableCmd(command))
            if command.subtype() == pg::AlterTableType::AtValidateConstraint =>
        {
            Some(format!("ALTER TABLE ONLY {table} VALIDATE CONSTRAINT {}", identifier(&command.name)))
        }
        _ => None,
    };
    alter.cmds.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_checked_by_itself() {
        assert_eq!(
            validations("ALTER TABLE ONLY \"s\".\"T\" VALIDATE CONSTRAINT a, VALIDATE CONSTRAINT \"B\""),
            [
                "ALTER TABLE ONLY \"s\".\"T\" VALIDATE CONSTRAINT \"a\"",
                "ALTER TABLE ONLY \"s\".\"T\" VALIDATE CONSTRAINT \"B\""
            ]
        );
        assert!(validations("CREATE INDEX i ON s.t (a)").is_empty());
    }
}
