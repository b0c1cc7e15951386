//! SU-11: text search parsers and templates.

use crate::edit::Safety;
use crate::facts::objects::created;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "SU-11",
    name: "text-search-parser",
    severity: Severity::Error,
    fix: Safety::Review,
    answers: Answers::limit("ts.parser / ts.template", "Text search parsers and templates."),
    statements: &[StatementKind::DefineStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: false },
    doc: Doc {
        summary: "CREATE TEXT SEARCH PARSER and CREATE TEXT SEARCH TEMPLATE.",
        what: "Parsers and templates are C functions of the server or of an extension. Dictionaries and configurations are allowed.",
        why: "They run as the server itself: only a superuser can create them.",
        server: &[
            "42501 must be superuser to create text search parsers",
            "42501 must be superuser to create text search templates",
        ],
        help: "Build configurations on PostgreSQL's own parser and templates. To leave it out with the \
               dictionaries and configurations that use it: --accept SU-11.",
        before: "CREATE TEXT SEARCH TEMPLATE app.plain (\n    LEXIZE = dsimple_lexize );",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/tsearchcmds.c, DefineTSParser, DefineTSTemplate",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    let NodeEnum::DefineStmt(s) = node else { return };
    let plural = match pg::ObjectType::try_from(s.kind) {
        Ok(pg::ObjectType::ObjectTsparser) => "parsers",
        Ok(pg::ObjectType::ObjectTstemplate) => "templates",
        _ => return,
    };
    let Some(object) = created(node) else { return };
    let words = ctx.describe(&object);
    let title = format!("the target cannot have text search {plural} of its own");
    let draft = Draft::new(format!("only a superuser can create {words}"))
        .object(words.clone())
        .server(ServerError::new("42501", format!("must be superuser to create text search {plural}")))
        .fix(FixDraft::remove(title).review().lost(words));
    ctx.report(draft);
}
