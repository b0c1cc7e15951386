//! SU-08: base types.

use crate::edit::Safety;
use crate::facts::objects::created;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "SU-08",
    name: "base-type",
    severity: Severity::Error,
    fix: Safety::Review,
    answers: Answers::limit("type.base", "Base types and shell types."),
    statements: &[StatementKind::DefineStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: false },
    doc: Doc {
        summary: "CREATE TYPE of a base type, and its shell before it.",
        what: "A base type has input and output functions in C or internal. pg_dump writes it in three parts: \
               CREATE TYPE name (the shell), the functions, CREATE TYPE name (INPUT = …).",
        why: "Its functions read memory as they were told to: only a superuser can create it. Composite, enum and range types are allowed.",
        server: &["42501 must be superuser to create a base type"],
        help: "Make it a domain, an enum or a composite type, and convert the columns that use it. To leave it out \
               with all that depends on it: --accept SU-08.",
        before: "CREATE TYPE app.box3;",
        after: "",
        sources: Doc::sources(&["PostgreSQL src/backend/commands/typecmds.c, DefineType"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    let NodeEnum::DefineStmt(s) = node else { return };
    if s.kind != pg::ObjectType::ObjectType as i32 {
        return;
    }
    let Some(object) = created(node) else { return };
    let words = ctx.describe(&object);
    let shell = if s.definition.is_empty() { " (this is its shell)" } else { "" };
    let draft = Draft::new(format!("only a superuser can create base {words}{shell}"))
        .object(words.clone())
        .server(ServerError::new("42501", "must be superuser to create a base type"))
        .fix(FixDraft::remove("the target cannot have base types of its own").review().lost(words));
    ctx.report(draft);
}
