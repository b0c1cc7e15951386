//! SU-03: LEAKPROOF.

use crate::edit::Safety;
use crate::facts::names::{option_is_on, options};
use crate::facts::objects::{created, subject};
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::clauses::word_and_name;

/// See the module's head.
pub const RULE: Rule = Rule {
    id: "SU-03",
    name: "leakproof",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::Limit { slug: "func.leakproof", how: "LEAKPROOF." },
    statements: &[StatementKind::AlterFunctionStmt, StatementKind::CreateFunctionStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: false },
    doc: Doc {
        summary: "A function marked LEAKPROOF.",
        what: "CREATE FUNCTION or ALTER FUNCTION … LEAKPROOF: the promise that a function tells nothing about its \
               arguments.",
        why: "The promise opens security barriers: only a superuser may give it. NOT LEAKPROOF is fine.",
        server: &["42501 only superuser can define a leakproof function"],
        help: "The word is taken out. The function works as before; in queries on tables with row-level security \
               and on security_barrier views the planner may no longer use it before the policies, so some get \
               slower.",
        before: "CREATE FUNCTION app.same(integer, integer) RETURNS boolean\n    LANGUAGE sql IMMUTABLE LEAKPROOF\n    AS $_$select $1 = $2$_$;",
        after: "CREATE FUNCTION app.same(integer, integer) RETURNS boolean\n    LANGUAGE sql IMMUTABLE\n    AS $_$select $1 = $2$_$;",
        sources: &["PostgreSQL src/backend/commands/functioncmds.c, CreateFunction, AlterFunction"],
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
    let found =
        options(nodes).enumerate().find(|(_, option)| option.defname == "leakproof" && option_is_on(option));
    let Some((index, option)) = found else { return };
    let Some(object) = created(node).or_else(|| subject(node)) else { return };
    let words = ctx.describe(&object);
    let Some(range) = word_and_name(statement, option, false) else { return };
    let alone = matches!(node, NodeEnum::AlterFunctionStmt(_)) && nodes.len() == 1;
    let fix = if alone {
        FixDraft::remove("nothing is left of it without LEAKPROOF")
    } else {
        FixDraft::edit("remove LEAKPROOF")
            .delete(statement.with_gap(&range))
            .change(Change::Remove(format!("{path}/{index}")))
    };
    let draft = Draft::new(format!("{words} cannot be LEAKPROOF on the target"))
        .at(range)
        .object(words.clone())
        .server(ServerError::new("42501", "only superuser can define a leakproof function"))
        .fix(fix.lost(format!("LEAKPROOF of {words}")));
    ctx.report(draft);
}
