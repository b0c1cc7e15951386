//! SU-04: SUPPORT.

use crate::edit::Safety;
use crate::facts::names::options;
use crate::facts::objects::{created, subject};
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::clauses::word_and_name;

/// See the module's head.
pub const RULE: Rule = Rule {
    id: "SU-04",
    name: "support-function",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::Limit { slug: "func.support", how: "SUPPORT." },
    statements: &[StatementKind::AlterFunctionStmt, StatementKind::CreateFunctionStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: false },
    doc: Doc {
        summary: "A function with a planner support function.",
        what: "CREATE FUNCTION or ALTER FUNCTION … SUPPORT f.",
        why: "A support function takes the planner's own data and must be trusted: only a superuser may name one.",
        server: &["42501 must be superuser to specify a support function"],
        help: "The clause is taken out. The function works as before; the planner knows less about it. COST and \
               ROWS can be set instead.",
        before: "CREATE FUNCTION app.many(integer) RETURNS SETOF integer\n    LANGUAGE sql SUPPORT pg_catalog.generate_series_int4_support\n    AS $_$select generate_series(1, $1)$_$;",
        after: "CREATE FUNCTION app.many(integer) RETURNS SETOF integer\n    LANGUAGE sql\n    AS $_$select generate_series(1, $1)$_$;",
        sources: &["PostgreSQL src/backend/commands/functioncmds.c, interpret_func_support"],
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let (nodes, path): (&[pg::Node], _) = match node {
        NodeEnum::CreateFunctionStmt(s) => (&s.options, "/CreateFunctionStmt/options"),
        NodeEnum::AlterFunctionStmt(s) => (&s.actions, "/AlterFunctionStmt/actions"),
        _ => return,
    };
    let found = options(nodes).enumerate().find(|(_, option)| option.defname == "support");
    let Some((index, option)) = found else { return };
    let Some(object) = created(node).or_else(|| subject(node)) else { return };
    let words = ctx.describe(&object);
    let Some(range) = word_and_name(statement, option, true) else { return };
    let alone = matches!(node, NodeEnum::AlterFunctionStmt(_)) && nodes.len() == 1;
    let fix = if alone {
        FixDraft::remove("nothing is left of it without SUPPORT")
    } else {
        FixDraft::edit("remove SUPPORT")
            .delete(statement.with_gap(&range))
            .change(Change::Remove(format!("{path}/{index}")))
    };
    let draft = Draft::new(format!("{words} cannot have a support function on the target"))
        .at(range)
        .object(words.clone())
        .server(ServerError::new("42501", "must be superuser to specify a support function"))
        .fix(fix.lost(format!("SUPPORT of {words}")));
    ctx.report(draft);
}
