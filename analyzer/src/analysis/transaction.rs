//! Transactions: after an error between BEGIN and COMMIT the server refuses every statement, and ROLLBACK undoes what was
//! done.

use std::sync::Arc;

use super::state::Pass;
use super::undo::MAX_COPIED;
use crate::edit::Safety;
use crate::facts::{Absence, Facts, Transaction};
use crate::finding::Place;
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, pg};
use crate::rule::{Finding, Subject};
use crate::rules::dependency::mended;
use crate::rules::input::in_17_aborted_transaction as in_17;
use crate::rules::ownership::handover::Handover;
use crate::target::is_builtin;

impl Pass<'_> {
    /// Reports a statement that the server refuses because its transaction has failed: what it would create will not exist.
    /// False where it is none of those.
    pub(super) fn refused_by_transaction(&mut self, statement: &Statement<'_>) -> bool {
        use pg::TransactionStmtKind as K;
        let Transaction { begun: Some(begun), failed: Some(failed), .. } = self.analysis.facts.transaction
        else {
            return false;
        };
        if let NodeEnum::TransactionStmt(s) = statement.node() {
            let ends = matches!(
                K::try_from(s.kind),
                Ok(K::TransStmtCommit | K::TransStmtRollback | K::TransStmtPrepare)
            );
            let goes_back = s.kind == K::TransStmtRollbackTo as i32
                && self.analysis.facts.transaction.savepoint(&s.savepoint_name).is_some();
            if ends || goes_back {
                return false;
            }
        }
        if !self.options.is_off(in_17::RULE.id) {
            let draft = in_17::draft(begun, failed);
            self.context(&in_17::RULE, Subject::Statement(statement), |context| context.report(draft));
        }
        self.analysis.facts.observe(statement, Some(&absence(begun, failed)));
        true
    }

    /// Adds to its findings that the server refuses a statement as the input is, for its transaction has failed by then: the
    /// rewrite mends the error before it.
    pub(super) fn refused_until_rewritten(&mut self, statement: &Statement<'_>, findings: &mut Vec<Finding>) {
        use pg::TransactionStmtKind as K;
        let transaction = &self.analysis.facts.transaction;
        let (Some(begun), Some(failed)) = (transaction.begun, transaction.fails_as_it_is) else { return };
        let mut lost_savepoint = None;
        if let NodeEnum::TransactionStmt(s) = statement.node() {
            let mark = transaction.savepoint(&s.savepoint_name);
            match K::try_from(s.kind) {
                Ok(K::TransStmtCommit | K::TransStmtRollback | K::TransStmtPrepare) => return,
                Ok(K::TransStmtRollbackTo) if mark.is_some_and(|mark| transaction.is_there(mark)) => return,
                Ok(K::TransStmtRollbackTo) => lost_savepoint = Some(s.savepoint_name.as_str()),
                _ => {}
            }
        }
        if findings.iter().any(is_refused) {
            return;
        }
        let draft = in_17::until_rewritten(begun, failed, lost_savepoint);
        self.context(&in_17::RULE, Subject::Statement(statement), |context| context.report(draft));
        findings.extend(self.analysis.findings.pop());
    }

    /// A statement of a transaction comes: what is known before it changes something is kept.
    pub(super) fn remember_for_rollback(&mut self, statement: &Statement<'_>) {
        let is_kept = self.undo.before.last().is_none_or(Option::is_some);
        if is_kept || self.analysis.facts.transaction.begun.is_none() || !changes(statement) {
            return;
        }
        let facts = &self.analysis.facts;
        let size = facts.relations.len() + facts.objects.len() + facts.owners.len() + facts.constraints.len();
        if self.undo.copied + size > MAX_COPIED {
            return;
        }
        self.undo.copied += size;
        let mut facts = facts.clone();
        facts.transaction = Transaction::default();
        let handover = self.states.get::<Handover>().cloned().unwrap_or_default();
        let known = Arc::new((facts, handover));
        for before in self.undo.before.iter_mut().filter(|before| before.is_none()) {
            *before = Some(Arc::clone(&known));
        }
    }

    /// A statement has been looked at: what it does to the transaction that it is in.
    pub(super) fn in_transaction(&mut self, statement: &Statement<'_>, findings: &[Finding]) {
        let fails = findings.iter().any(|finding| finding.fails() && !finding.solved);
        if findings.iter().any(is_refused) {
            let place = statement.place(&statement.range());
            self.analysis.facts.transaction.fail_as_it_is(place);
        }
        let place = statement.place(&statement.range());
        let facts = &mut self.analysis.facts;
        let is_prepared = matches!(statement.node(), NodeEnum::TransactionStmt(s) if s.kind == pg::TransactionStmtKind::TransStmtPrepare as i32);
        if fails && is_prepared {
            self.end_transaction(true);
        } else if fails {
            facts.transaction.fail(place);
        } else if let NodeEnum::TransactionStmt(s) = statement.node() {
            self.transaction_command(s, place);
        } else if facts.transaction.begun.is_some()
            && let Some(object) = facts.created(statement.node())
        {
            facts.transaction.create(object.id);
        }
    }

    fn transaction_command(&mut self, s: &pg::TransactionStmt, place: Place) {
        use pg::TransactionStmtKind as K;
        let facts = &mut self.analysis.facts;
        match K::try_from(s.kind) {
            Ok(K::TransStmtBegin | K::TransStmtStart) if facts.transaction.begun.is_none() => {
                self.begin(place);
            }
            Ok(K::TransStmtSavepoint) if facts.transaction.begun.is_some() => {
                let Facts { transaction, session, .. } = facts;
                transaction.save(&s.savepoint_name, session);
                self.undo.before.push(None);
            }
            Ok(K::TransStmtRelease) => {
                if let Some(mark) = facts.transaction.savepoint(&s.savepoint_name) {
                    facts.transaction.release(mark);
                    self.undo.before.truncate(mark);
                }
            }
            Ok(K::TransStmtRollbackTo) => {
                if let Some(mark) = facts.transaction.savepoint(&s.savepoint_name) {
                    self.go_back(mark);
                }
            }
            Ok(K::TransStmtCommit | K::TransStmtRollback | K::TransStmtPrepare) => {
                self.end_transaction(s.kind == K::TransStmtRollback as i32);
                if s.chain {
                    self.begin(place);
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self, place: Place) {
        let facts = &mut self.analysis.facts;
        facts.transaction = Transaction::begin(place, &facts.session);
        self.undo.before = vec![None];
    }

    /// Ends the transaction: what it has done is undone where it is rolled back, or has failed.
    pub(super) fn end_transaction(&mut self, rolls_back: bool) {
        let transaction = &self.analysis.facts.transaction;
        if let Some(place) =
            transaction.fails_as_it_is.filter(|_| !rolls_back && transaction.failed.is_none())
        {
            mended::keep(&mut self.states, transaction.created(), place);
        }
        if rolls_back || self.analysis.facts.transaction.failed.is_some() {
            self.go_back(0);
        } else {
            self.analysis.facts.session.commit();
        }
        self.analysis.facts.transaction = Transaction::default();
        self.undo.clear();
        self.analysis.facts.refresh_path();
    }

    /// Goes back to a mark of the transaction: what it created since will not exist, what it dropped does.
    fn go_back(&mut self, mark: usize) {
        let facts = &mut self.analysis.facts;
        let Transaction { begun: Some(begun), failed, .. } = facts.transaction else { return };
        let absence = absence(begun, failed.unwrap_or(begun));
        let (mut created, session) = facts.transaction.go_back(mark);
        self.undo.before.truncate(mark + 1);
        if let Some(before) = self.undo.before.last_mut().and_then(Option::take) {
            let (facts, handover) = Arc::unwrap_or_clone(before);
            *self.states.of::<Handover>() = handover;
            self.analysis.facts.undo(facts);
            // What it has dropped and created again exists.
            created.retain(|id| !self.analysis.facts.exists(id));
        }
        self.analysis.facts.roll_back(created, session, &absence);
    }
}

/// True where the server refuses the statement as it is.
fn is_refused(finding: &Finding) -> bool {
    finding.fails() && finding.server_error.as_ref().is_some_and(|error| !error.sqlstate.starts_with('0'))
}

/// True for a statement that may change what is known: all but rows, queries and settings.
fn changes(statement: &Statement<'_>) -> bool {
    match statement.node() {
        NodeEnum::InsertStmt(_)
        | NodeEnum::UpdateStmt(_)
        | NodeEnum::DeleteStmt(_)
        | NodeEnum::CopyStmt(_)
        | NodeEnum::TransactionStmt(_)
        | NodeEnum::VariableSetStmt(_) => false,
        NodeEnum::SelectStmt(_) => statement
            .references()
            .iter()
            .any(|called| called.class == Class::Function && !is_builtin(Class::Function, &called.name)),
        _ => true,
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
