//! EXT-02: a comment on an extension that the target does not take.

use crate::edit::Safety;
use crate::facts::objects::subject;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "EXT-02",
    name: "extension-comment",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("extension.comment", "COMMENT ON EXTENSION."),
    statements: &[StatementKind::CommentStmt],
    doc: Doc {
        summary: "COMMENT ON EXTENSION of an extension that is not on the target's list.",
        what: "pg_dump writes the comment after every CREATE EXTENSION. Where the dump creates the extension, EXT-01 removes the comment with it; this is about a comment alone, as in dumps of PostgreSQL 10 and older for plpgsql.",
        why: "The service lets tsdbadmin comment on the extensions of its list, and on no others.",
        server: &[
            "42501 must be owner of extension adminpack",
            "42704 extension \"adminpack\" does not exist",
        ],
        help: "It is removed: the text is the extension's own.",
        before: "COMMENT ON EXTENSION adminpack IS 'administrative functions for PostgreSQL';",
        after: "-- tsmigrate EXT-02: Remove it: the comment is the extension's own\n-- COMMENT ON EXTENSION adminpack IS 'administrative functions for PostgreSQL';",
        sources: Doc::sources(&[
            "tigerdata.com docs, Tiger Cloud extensions (the target file has the lists and their dates)",
            "timescale/pgextwlist, pgextwlist.c",
        ]),
        link: "https://www.tigerdata.com/docs/deploy/tiger-cloud/tiger-cloud-aws/tiger-cloud-extensions",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    let NodeEnum::CommentStmt(s) = node else { return };
    let Some(object) = subject(node).filter(|_| s.objtype == pg::ObjectType::ObjectExtension as i32) else {
        return;
    };
    let name = &object.id.name;
    if ctx.target.allows_extension(name) || ctx.facts.absence(&object.id).is_some() {
        return;
    }
    let server = match ctx.target.installed_in(name) {
        Some(_) => ServerError::new("42501", format!("must be owner of extension {name}")),
        None => ServerError::new("42704", format!("extension \"{name}\" does not exist")),
    };
    let draft =
        Draft::new(format!("extension \"{name}\" is not on the target's list: its comment cannot be set"))
            .object(object.to_string())
            .server(server)
            .fix(FixDraft::remove("the comment is the extension's own"));
    ctx.report(draft);
}
