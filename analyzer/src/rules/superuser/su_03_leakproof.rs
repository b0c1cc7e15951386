//! SU-03: LEAKPROOF.

use super::function_option::{FunctionOption, report};
use crate::edit::Safety;
use crate::facts::names::option_is_on;
use crate::finding::Severity;
use crate::parse::StatementKind;
use crate::rule::{Answers, Context, Doc, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "SU-03",
    name: "leakproof",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("func.leakproof", "LEAKPROOF."),
    statements: &[StatementKind::AlterFunctionStmt, StatementKind::CreateFunctionStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: false },
    doc: Doc {
        summary: "A function marked LEAKPROOF.",
        what: "CREATE FUNCTION or ALTER FUNCTION … LEAKPROOF: the promise that a function tells nothing about its \
               arguments.",
        why: "The promise opens security barriers: only a superuser can give it. NOT LEAKPROOF is allowed.",
        server: &["42501 only superuser can define a leakproof function"],
        help: "The word is removed. The function works as before; in queries on tables with row-level security and on security_barrier views the planner may no longer use it before the policies, so some get slower.",
        before: "CREATE FUNCTION app.same(integer, integer) RETURNS boolean\n    LANGUAGE sql IMMUTABLE LEAKPROOF\n    AS $_$select $1 = $2$_$;",
        after: "CREATE FUNCTION app.same(integer, integer) RETURNS boolean\n    LANGUAGE sql IMMUTABLE\n    AS $_$select $1 = $2$_$;",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/functioncmds.c, CreateFunction, AlterFunction",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let option = FunctionOption {
        word: "LEAKPROOF",
        named: false,
        asks: option_is_on,
        refused: "cannot be LEAKPROOF on the target",
        server: "only superuser can define a leakproof function",
    };
    report(ctx, &option);
}
