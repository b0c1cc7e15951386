//! SU-14: transforms.

use super::su_10_builtin_cast::server_name;
use crate::edit::Safety;
use crate::facts::objects::created;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::clauses::is_superusers_type;

pub(crate) const RULE: Rule = Rule {
    id: "SU-14",
    name: "transform",
    severity: Severity::Error,
    fix: Safety::Review,
    answers: Answers::limit("transform", "Transforms."),
    statements: &[StatementKind::CreateTransformStmt],
    doc: Doc {
        summary: "CREATE TRANSFORM.",
        what: "Functions that convert values of a type between SQL and a procedural language. What an extension \
               brings (hstore_plperl) is not in a dump.",
        why: "Who creates a transform must own its type and have USAGE on its language, and its functions are in C.",
        server: &["42501 must be owner of type integer"],
        help: "Use the extension that has it, or convert in the function itself. To leave it out: --accept SU-14.",
        before: "CREATE TRANSFORM FOR integer LANGUAGE plpgsql (FROM SQL WITH FUNCTION pg_catalog.int4recv(internal));",
        after: "",
        sources: Doc::sources(&["PostgreSQL src/backend/commands/functioncmds.c, CreateTransform"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    let NodeEnum::CreateTransformStmt(s) = node else { return };
    let Some(name) = s.type_name.as_ref().filter(|name| is_superusers_type(ctx, name)) else { return };
    let Some(object) = created(node) else { return };
    let words = ctx.describe(&object);
    let draft = Draft::new(format!("{words} is for a type that the superuser owns"))
        .object(words.clone())
        .server(ServerError::new("42501", format!("must be owner of type {}", server_name(name))))
        .fix(FixDraft::remove("only the type's owner can create a transform").review().lost(words));
    ctx.report(draft);
}
