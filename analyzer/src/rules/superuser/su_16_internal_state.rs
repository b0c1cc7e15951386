//! SU-16: an aggregate whose state is internal.

use crate::edit::Safety;
use crate::facts::names::{option_text, options};
use crate::facts::objects::created;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::clauses::value;

pub(crate) const RULE: Rule = Rule {
    id: "SU-16",
    name: "internal-state",
    severity: Severity::Error,
    fix: Safety::Review,
    answers: Answers::limit("aggregate.internal", "Aggregates with internal state."),
    statements: &[StatementKind::DefineStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: false },
    doc: Doc {
        summary: "CREATE AGGREGATE with STYPE = internal.",
        what: "An aggregate that keeps its state in the server's own memory, through functions of the server or in \
               C.",
        why: "The state has no type to check: only a superuser can create such an aggregate.",
        server: &["42P13 aggregate transition data type cannot be internal"],
        help: "Build it on a state type of SQL (an array, a composite type), or use the server's own aggregate in \
               its place. To leave it out with all that depends on it: --accept SU-16.",
        before: "CREATE AGGREGATE app.mean(integer) (\n    SFUNC = int4_avg_accum,\n    STYPE = internal\n);",
        after: "",
        sources: Doc::sources(&["PostgreSQL src/backend/commands/aggregatecmds.c, DefineAggregate"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let NodeEnum::DefineStmt(s) = node else { return };
    if s.kind != pg::ObjectType::ObjectAggregate as i32 {
        return;
    }
    let is_internal = |option: &&pg::DefElem| {
        let name = option.defname.to_ascii_lowercase();
        matches!(name.as_str(), "stype" | "stype1" | "mstype") && option_text(option) == Some("internal")
    };
    let Some(state) = options(&s.definition).find(is_internal) else { return };
    let Some(object) = created(node) else { return };
    let words = ctx.describe(&object);
    let mut draft = Draft::new(format!("only a superuser can create {words}: its state is internal"))
        .object(words.clone())
        .server(ServerError::new("42P13", "aggregate transition data type cannot be internal"))
        .fix(FixDraft::remove("the target cannot have aggregates with internal state").review().lost(words));
    if let Some(range) = value(statement, state) {
        draft = draft.at(range);
    }
    ctx.report(draft);
}
