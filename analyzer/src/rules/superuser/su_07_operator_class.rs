//! SU-07: operator classes and families.

use crate::edit::Safety;
use crate::facts::objects::{created, subject};
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::clauses::absence;

pub(crate) const RULE: Rule = Rule {
    id: "SU-07",
    name: "operator-class",
    severity: Severity::Error,
    fix: Safety::Review,
    answers: Answers::limit("opclass", "Operator classes and families."),
    statements: &[
        StatementKind::AlterOpFamilyStmt,
        StatementKind::CreateOpClassStmt,
        StatementKind::CreateOpFamilyStmt,
    ],
    in_bodies: InBodies::Yes { queries: false, by_name: false },
    doc: Doc {
        summary: "CREATE OPERATOR CLASS, CREATE OPERATOR FAMILY and ALTER OPERATOR FAMILY.",
        what: "An operator class tells an index method how to sort or hash a type.",
        why: "A wrong one makes the server read wrong memory: only a superuser can create or change it.",
        server: &[
            "42501 must be superuser to create an operator class",
            "42501 must be superuser to create an operator family",
            "42501 must be superuser to alter an operator family",
        ],
        help: "Indexes and keys that name the class need another one, or an expression index on a type that has \
               one. To leave it out with all that depends on it: --accept SU-07.",
        before: "CREATE OPERATOR CLASS app.even_ops FOR TYPE integer USING btree AS\n    OPERATOR 1 <(integer, integer),\n    FUNCTION 1 (integer, integer) btint4cmp(integer, integer);",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/opclasscmds.c, DefineOpClass, DefineOpFamily, AlterOpFamily",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    let (message, method) = match node {
        NodeEnum::CreateOpClassStmt(s) => ("must be superuser to create an operator class", &s.amname),
        NodeEnum::CreateOpFamilyStmt(s) => ("must be superuser to create an operator family", &s.amname),
        NodeEnum::AlterOpFamilyStmt(s) => ("must be superuser to alter an operator family", &s.amname),
        _ => return,
    };
    // The server looks for the access method first.
    let server = if absence(ctx, Class::AccessMethod, method).is_some() {
        ServerError::new("42704", format!("access method \"{method}\" does not exist"))
    } else {
        ServerError::new("42501", message)
    };
    let Some(object) = created(node).or_else(|| subject(node)) else { return };
    let verb = if created(node).is_some() { "create" } else { "change" };
    let words = ctx.describe(&object);
    let draft = Draft::new(format!("only a superuser can {verb} {words}"))
        .object(words.clone())
        .server(server)
        .fix(FixDraft::remove("the target cannot have operator classes of its own").review().lost(words));
    ctx.report(draft);
}
