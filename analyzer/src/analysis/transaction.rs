//! Transactions: after an error between BEGIN and COMMIT the server refuses every statement, and keeps nothing.

use super::state::{Pass, Transaction};
use crate::edit::Safety;
use crate::facts::Absence;
use crate::facts::objects::created;
use crate::finding::Place;
use crate::locate::Statement;
use crate::parse::{NodeEnum, pg};
use crate::rule::Subject;
use crate::rules::input::in_17_aborted_transaction as in_17;

impl Pass<'_> {
    /// Follows BEGIN, COMMIT and their like. True where the statement is one that a failed transaction refuses: it is
    /// reported, and what it would create will not exist.
    pub(super) fn refused_by_transaction(&mut self, statement: &Statement<'_>) -> bool {
        if let NodeEnum::TransactionStmt(s) = statement.node() {
            return self.transaction_command(statement, s);
        }
        let (Some(begun), Some(failed)) = (self.transaction.begun, self.transaction.failed) else {
            return false;
        };
        self.report_aborted(statement, begun, failed);
        true
    }

    fn report_aborted(&mut self, statement: &Statement<'_>, begun: Place, failed: Place) {
        if !self.options.is_off(in_17::RULE.id) {
            let draft = in_17::draft(begun, failed);
            self.context(&in_17::RULE, Subject::Statement(statement), |context| context.report(draft));
        }
        let absence = absence(begun, failed);
        self.analysis.facts.observe(statement, Some(&absence));
    }

    /// A statement of the transaction has been looked at: what it creates, and whether it fails.
    pub(super) fn in_transaction(&mut self, statement: &Statement<'_>, fails: bool) {
        if self.transaction.begun.is_none() {
            return;
        }
        if fails {
            self.transaction.failed.get_or_insert_with(|| statement.place(&statement.range()));
        } else if let Some(object) = created(statement.node()) {
            let id = self.analysis.facts.resolved(&object.id);
            self.transaction.created.push(id);
        }
    }

    /// A statement that the parser does not take fails on the server, too.
    pub(super) fn unparsed_in_transaction(&mut self, place: Place) {
        if self.transaction.begun.is_some() {
            self.transaction.failed.get_or_insert(place);
        }
    }

    fn transaction_command(&mut self, statement: &Statement<'_>, s: &pg::TransactionStmt) -> bool {
        use pg::TransactionStmtKind as K;
        let place = statement.place(&statement.range());
        match K::try_from(s.kind) {
            Ok(K::TransStmtBegin | K::TransStmtStart) => {
                match (self.transaction.begun, self.transaction.failed) {
                    (Some(begun), Some(failed)) => {
                        self.report_aborted(statement, begun, failed);
                        return true;
                    }
                    (None, _) => {
                        self.transaction = Transaction { begun: Some(place), ..Transaction::default() }
                    }
                    (Some(_), None) => {}
                }
            }
            Ok(K::TransStmtSavepoint) if self.transaction.failed.is_none() => {
                let before = self.transaction.created.len();
                self.transaction.savepoints.push((s.savepoint_name.clone(), before));
            }
            Ok(K::TransStmtRollbackTo) => {
                let found =
                    self.transaction.savepoints.iter().rposition(|(name, _)| *name == s.savepoint_name);
                if let Some(index) = found {
                    let (_, before) = self.transaction.savepoints[index];
                    self.transaction.savepoints.truncate(index + 1);
                    self.roll_back(before, place);
                    self.transaction.failed = None;
                }
            }
            Ok(K::TransStmtCommit | K::TransStmtRollback | K::TransStmtPrepare) => {
                let kept = self.transaction.failed.is_none() && s.kind != K::TransStmtRollback as i32;
                if !kept {
                    self.roll_back(0, place);
                }
                let begun = s.chain.then_some(place);
                self.transaction = Transaction { begun, ..Transaction::default() };
            }
            Ok(K::TransStmtSavepoint | K::TransStmtRelease) => {
                if let (Some(begun), Some(failed)) = (self.transaction.begun, self.transaction.failed) {
                    self.report_aborted(statement, begun, failed);
                    return true;
                }
            }
            _ => {}
        }
        false
    }

    /// What was created since will not exist.
    fn roll_back(&mut self, from: usize, place: Place) {
        let begun = self.transaction.begun.unwrap_or(place);
        let absence = absence(begun, self.transaction.failed.unwrap_or(place));
        for id in self.transaction.created.split_off(from.min(self.transaction.created.len())) {
            self.analysis.facts.will_not_exist(id, &absence);
        }
    }
}

/// Why nothing that the transaction creates will exist.
fn absence(begun: Place, failed: Place) -> Absence {
    Absence {
        rule: in_17::RULE.id,
        root: format!("the transaction that begins in line {}", begun.line),
        place: failed,
        removed: false,
        safety: Safety::None,
    }
}
