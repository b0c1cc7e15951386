//! IN-14: what works inside of a transaction only.

use crate::edit::Safety;
use crate::facts::names::{option, option_is_on, qualified};
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Piece, Rule, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "IN-14",
    name: "transaction-command",
    severity: Severity::Error,
    fix: Safety::Review,
    answers: Answers::purpose("what needs a transaction, and what takes none"),
    pieces: &[Piece::End],
    statements: &[
        StatementKind::LockStmt,
        StatementKind::TransactionStmt,
        StatementKind::VacuumStmt,
        StatementKind::IndexStmt,
        StatementKind::DropStmt,
        StatementKind::ReindexStmt,
        StatementKind::ClusterStmt,
        StatementKind::DeclareCursorStmt,
        StatementKind::DiscardStmt,
        StatementKind::CallStmt,
    ],
    doc: Doc {
        summary: "LOCK TABLE, SAVEPOINT or DECLARE CURSOR outside of a transaction, VACUUM in one, or a savepoint that does not exist.",
        what: "LOCK TABLE, SAVEPOINT, RELEASE, ROLLBACK TO and DECLARE CURSOR without WITH HOLD where no BEGIN or START TRANSACTION stands before them; RELEASE \
               and ROLLBACK TO of a savepoint that the transaction does not have at that point; VACUUM, CREATE INDEX CONCURRENTLY \
               and others that run in no transaction; prepared transactions; a file that ends before the \
               COMMIT.",
        why: "psql sends each statement of a file as a transaction of its own; outside of a transaction a lock or a \
              savepoint would be gone at once.",
        server: &[
            "25P01 LOCK TABLE can only be used in transaction blocks",
            "25P01 SAVEPOINT can only be used in transaction blocks",
            "25001 VACUUM cannot run inside a transaction block",
            "3B001 savepoint \"before\" does not exist",
            "55000 prepared transactions are disabled",
        ],
        help: "Write BEGIN; before and COMMIT; behind, or remove the statement: nobody else works in a new service. VACUUM \
               and its like stand behind the COMMIT.",
        before: "LOCK TABLE public.orders;",
        after: "",
        sources: Doc::sources(&["PostgreSQL src/backend/access/transam/xact.c, RequireTransactionBlock"]),
        link: "https://www.postgresql.org/docs/current/sql-lock.html",
    },
    check,
    ..Rule::DEFAULT
};

/// The option of a cursor that outlives its transaction (`CURSOR_OPT_HOLD` in parsenodes.h).
const WITH_HOLD: i32 = 0x20;

fn check(ctx: &mut Context<'_>) {
    use pg::TransactionStmtKind as K;
    if let (Subject::End { .. }, Some(begun)) = (ctx.subject, ctx.facts.transaction.begun) {
        ctx.report(
            Draft::new(format!("the transaction that begins in line {} is never committed", begun.line))
                .advice("The server rolls it back when the session ends: put COMMIT; at the end.")
                .related(begun, "it begins here"),
        );
        return;
    }
    let Some((_, node)) = ctx.node() else { return };
    if let Some(draft) = prepared(ctx, node) {
        ctx.report(draft);
        return;
    }
    if let Some(words) = alone(node) {
        if ctx.facts.transaction.begun.is_some() {
            ctx.report(
                Draft::new(format!("{words} stands inside of a transaction")).server(ServerError::new(
                    "25001",
                    format!("{words} cannot run inside a transaction block"),
                )),
            );
        }
        return;
    }
    let words = match node {
        NodeEnum::LockStmt(_) => "LOCK TABLE",
        NodeEnum::DeclareCursorStmt(s) if s.options & WITH_HOLD == 0 => "DECLARE CURSOR",
        NodeEnum::TransactionStmt(s) => match K::try_from(s.kind) {
            Ok(K::TransStmtSavepoint) => "SAVEPOINT",
            Ok(K::TransStmtRelease) => "RELEASE SAVEPOINT",
            Ok(K::TransStmtRollbackTo) => "ROLLBACK TO SAVEPOINT",
            Ok(K::TransStmtCommit) if s.chain => "COMMIT AND CHAIN",
            Ok(K::TransStmtRollback) if s.chain => "ROLLBACK AND CHAIN",
            _ => return,
        },
        _ => return,
    };
    if ctx.facts.transaction.begun.is_some() {
        unknown_savepoint(ctx, node);
        return;
    }
    ctx.report(
        Draft::new(format!("{words} stands outside of a transaction"))
            .server(ServerError::new("25P01", format!("{words} can only be used in transaction blocks"))),
    );
}

/// What is said of prepared transactions, which servers have for transaction managers, and only once they are told to.
fn prepared(ctx: &Context<'_>, node: &NodeEnum) -> Option<Draft> {
    use pg::TransactionStmtKind as K;
    let NodeEnum::TransactionStmt(s) = node else { return None };
    match K::try_from(s.kind) {
        // A transaction that has failed is rolled back, and one that was never begun is nothing.
        Ok(K::TransStmtPrepare)
            if ctx.facts.transaction.begun.is_some() && ctx.facts.transaction.failed.is_none() =>
        {
            Some(
                Draft::new("the target keeps no prepared transactions: what this one did is rolled back")
                    .server(ServerError::new("55000", "prepared transactions are disabled"))
                    .advice("Write COMMIT in place of PREPARE TRANSACTION, and remove the COMMIT PREPARED.")
                    .fix(FixDraft::replace_with("Commit it here", vec!["COMMIT;".to_owned()]).review()),
            )
        }
        Ok(K::TransStmtCommitPrepared | K::TransStmtRollbackPrepared)
            if ctx.facts.transaction.begun.is_none() =>
        {
            let gid = &s.gid;
            let error = format!("prepared transaction with identifier \"{gid}\" does not exist");
            Some(
                Draft::new(format!("there is no prepared transaction {gid} on the target"))
                    .server(ServerError::new("42704", error)),
            )
        }
        _ => None,
    }
}

/// A statement that runs in no transaction, in words.
fn alone(node: &NodeEnum) -> Option<&'static str> {
    use pg::ReindexObjectType as R;
    match node {
        NodeEnum::VacuumStmt(s) if s.is_vacuumcmd => Some("VACUUM"),
        NodeEnum::IndexStmt(s) if s.concurrent => Some("CREATE INDEX CONCURRENTLY"),
        NodeEnum::DropStmt(s) if s.concurrent => Some("DROP INDEX CONCURRENTLY"),
        NodeEnum::ReindexStmt(s) if option(&s.params, "concurrently").is_some_and(option_is_on) => {
            Some("REINDEX CONCURRENTLY")
        }
        NodeEnum::ReindexStmt(s) => match R::try_from(s.kind) {
            Ok(R::ReindexObjectSchema) => Some("REINDEX SCHEMA"),
            Ok(R::ReindexObjectDatabase) => Some("REINDEX DATABASE"),
            Ok(R::ReindexObjectSystem) => Some("REINDEX SYSTEM"),
            _ => None,
        },
        NodeEnum::ClusterStmt(s) if s.relation.is_none() => Some("CLUSTER"),
        NodeEnum::DiscardStmt(s) if s.target == pg::DiscardMode::DiscardAll as i32 => Some("DISCARD ALL"),
        NodeEnum::TransactionStmt(s) if s.kind == pg::TransactionStmtKind::TransStmtCommitPrepared as i32 => {
            Some("COMMIT PREPARED")
        }
        NodeEnum::TransactionStmt(s)
            if s.kind == pg::TransactionStmtKind::TransStmtRollbackPrepared as i32 =>
        {
            Some("ROLLBACK PREPARED")
        }
        NodeEnum::CallStmt(s) => {
            let (_, name) = qualified(&s.funccall.as_ref()?.funcname)?;
            (name == "refresh_continuous_aggregate").then_some("refresh_continuous_aggregate()")
        }
        _ => None,
    }
}

/// RELEASE or ROLLBACK TO of a savepoint that the transaction does not have.
fn unknown_savepoint(ctx: &mut Context<'_>, node: &NodeEnum) {
    use pg::TransactionStmtKind as K;
    let NodeEnum::TransactionStmt(s) = node else { return };
    let goes_back = matches!(K::try_from(s.kind), Ok(K::TransStmtRelease | K::TransStmtRollbackTo));
    let name = &s.savepoint_name;
    if !goes_back || ctx.facts.transaction.savepoint(name).is_some() {
        return;
    }
    ctx.report(
        Draft::new(format!("savepoint {name} does not exist in this transaction"))
            .server(ServerError::new("3B001", format!("savepoint \"{name}\" does not exist"))),
    );
}
