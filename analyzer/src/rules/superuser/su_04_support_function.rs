//! SU-04: SUPPORT.

use super::function_option::{FunctionOption, report};
use crate::edit::Safety;
use crate::finding::Severity;
use crate::parse::StatementKind;
use crate::rule::{Answers, Context, Doc, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "SU-04",
    name: "support-function",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("func.support", "SUPPORT."),
    statements: &[StatementKind::AlterFunctionStmt, StatementKind::CreateFunctionStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: false },
    doc: Doc {
        summary: "A function with a planner support function.",
        what: "CREATE FUNCTION or ALTER FUNCTION … SUPPORT f.",
        why: "A support function takes the planner's own data and must be trusted: only a superuser can name one.",
        server: &["42501 must be superuser to specify a support function"],
        help: "The clause is removed. The function works as before; the planner knows less about it. COST and ROWS can be set instead.",
        before: "CREATE FUNCTION app.many(integer) RETURNS SETOF integer\n    LANGUAGE sql SUPPORT pg_catalog.generate_series_int4_support\n    AS $_$select generate_series(1, $1)$_$;",
        after: "CREATE FUNCTION app.many(integer) RETURNS SETOF integer\n    LANGUAGE sql\n    AS $_$select generate_series(1, $1)$_$;",
        sources: Doc::sources(&["PostgreSQL src/backend/commands/functioncmds.c, interpret_func_support"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let option = FunctionOption {
        word: "SUPPORT",
        named: true,
        asks: |_| true,
        refused: "cannot have a support function on the target",
        server: "must be superuser to specify a support function",
    };
    report(ctx, &option);
}
