//! SU-09: CREATE CAST … WITHOUT FUNCTION.

use crate::edit::Safety;
use crate::facts::objects::created;
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, NodeEnum, Reference, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "SU-09",
    name: "cast-without-function",
    severity: Severity::Error,
    fix: Safety::Review,
    answers: Answers::limit("cast.nofunc", "Casts WITHOUT FUNCTION."),
    statements: &[StatementKind::CreateCastStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: false },
    doc: Doc {
        summary: "CREATE CAST … WITHOUT FUNCTION.",
        what: "A cast that takes the bytes of one type for those of another.",
        why: "Nothing checks that the bytes fit: only a superuser can say so.",
        server: &["42501 must be superuser to create a cast WITHOUT FUNCTION"],
        help: "Make it WITH INOUT (through the text form) or WITH FUNCTION, if one of the types is yours, and look \
               at what it gives. To leave it out: --accept SU-09; queries then need explicit conversions.",
        before: "CREATE TYPE app.pair AS (a integer);\nCREATE TYPE app.other AS (a integer);\nCREATE CAST (app.pair AS app.other) WITHOUT FUNCTION;",
        after: "",
        sources: Doc::sources(&["PostgreSQL src/backend/commands/functioncmds.c, CreateCast"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let NodeEnum::CreateCastStmt(s) = node else { return };
    if s.func.is_some() || s.inout {
        return;
    }
    // A type that will not be there is what the server misses first: DEP-01.
    let is_missing = |r: &&Reference| r.class == Class::Type && ctx.facts.missing(r).is_some();
    if statement.references().iter().any(|r| is_missing(&r)) {
        return;
    }
    let Some(object) = created(node) else { return };
    let words = ctx.describe(&object);
    let mut draft = Draft::new(format!("only a superuser can create {words} without a function"))
        .object(words.clone())
        .server(ServerError::new("42501", "must be superuser to create a cast WITHOUT FUNCTION"))
        .fix(FixDraft::remove("the target cannot have such a cast").review().lost(words));
    if let Some(range) = statement.words(&["WITHOUT", "FUNCTION"]) {
        draft = draft.at(range);
    }
    ctx.report(draft);
}
