//! Transactions: after an error between BEGIN and COMMIT the server refuses every statement, and keeps nothing.

use super::state::Pass;
use crate::edit::Safety;
use crate::facts::objects::created;
use crate::facts::{Absence, Transaction};
use crate::finding::Place;
use crate::locate::Statement;
use crate::parse::{NodeEnum, pg};
use crate::rule::Subject;
use crate::rules::input::in_17_aborted_transaction as in_17;

impl Pass<'_> {
    /// Reports a statement that the server refuses because its transaction has failed: what it would create will not exist.
    /// False where it is none of those.
    pub(super) fn refused_by_transaction(&mut self, statement: &Statement<'_>) -> bool {
        use pg::TransactionStmtKind as K;
        let Transaction { begun: Some(begun), failed: Some(failed), .. } = self.analysis.facts.transaction
        else {
            return false;
        };
        if let NodeEnum::TransactionStmt(s) = statement.node()
            && matches!(
                K::try_from(s.kind),
                Ok(K::TransStmtCommit | K::TransStmtRollback | K::TransStmtRollbackTo | K::TransStmtPrepare)
            )
        {
            return false;
        }
        if !self.options.is_off(in_17::RULE.id) {
            let draft = in_17::draft(begun, failed);
            self.context(&in_17::RULE, Subject::Statement(statement), |context| context.report(draft));
        }
        self.analysis.facts.observe(statement, Some(&absence(begun, failed)));
        true
    }

    /// A statement has been looked at: what it does to the transaction that it is in.
    pub(super) fn in_transaction(&mut self, statement: &Statement<'_>, fails: bool) {
        let place = statement.place(&statement.range());
        let facts = &mut self.analysis.facts;
        if let NodeEnum::TransactionStmt(s) = statement.node() {
            self.transaction_command(s, place);
        } else if fails {
            facts.transaction.fail(place);
        } else if facts.transaction.begun.is_some()
            && let Some(object) = created(statement.node())
        {
            let id = facts.resolved(&object.id);
            facts.transaction.create(id);
        }
    }

    fn transaction_command(&mut self, s: &pg::TransactionStmt, place: Place) {
        use pg::TransactionStmtKind as K;
        let facts = &mut self.analysis.facts;
        let Transaction { begun, failed, .. } = facts.transaction;
        let absence = || absence(begun.unwrap_or(place), failed.unwrap_or(place));
        match K::try_from(s.kind) {
            Ok(K::TransStmtBegin | K::TransStmtStart) if begun.is_none() => {
                facts.transaction = Transaction::begin(place);
            }
            Ok(K::TransStmtSavepoint) => facts.transaction.save(&s.savepoint_name),
            Ok(K::TransStmtRollbackTo) => facts.roll_back_to(&s.savepoint_name, &absence()),
            Ok(K::TransStmtCommit | K::TransStmtRollback | K::TransStmtPrepare) => {
                if failed.is_some() || s.kind == K::TransStmtRollback as i32 {
                    facts.roll_back(&absence());
                }
                facts.transaction = if s.chain { Transaction::begin(place) } else { Transaction::default() };
            }
            _ => {}
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
