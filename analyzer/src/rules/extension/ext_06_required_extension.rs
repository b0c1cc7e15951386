//! EXT-06: an extension that needs another one first.

use serde_json::json;

use super::ext_01_unsupported_extension::extension_name;
use crate::edit::Safety;
use crate::facts::names::{option, option_is_on, quoted};
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, NodeEnum, StatementKind, canonical, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::clauses::has_extension;
use crate::target::members;

pub(crate) const RULE: Rule = Rule {
    id: "EXT-06",
    name: "required-extension",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("extension.cascade/order", "Extensions that need others first."),
    statements: &[StatementKind::CreateExtensionStmt],
    doc: Doc {
        summary: "CREATE EXTENSION before an extension that it needs.",
        what: "earthdistance needs cube, postgis_topology needs postgis, vectorscale needs vector, ai needs vector \
               and plpython3u, and so on. pg_dump writes them in the right order; scripts, and dumps whose other \
               parts were left out, do not.",
        why: "CREATE EXTENSION installs what is needed only where it says CASCADE.",
        server: &[
            "42704 required extension \"cube\" is not installed",
            "HINT Use CREATE EXTENSION ... CASCADE to install required extensions too.",
        ],
        help: "CASCADE is added: the server installs what is missing, in the same schema.",
        before: "CREATE EXTENSION earthdistance WITH SCHEMA public;",
        after: "CREATE EXTENSION earthdistance WITH SCHEMA public CASCADE;",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/extension.c, get_required_extension; control files of the extensions",
        ]),
        link: "https://www.tigerdata.com/docs/deploy/tiger-cloud/tiger-cloud-aws/tiger-cloud-extensions",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node @ NodeEnum::CreateExtensionStmt(s))) = ctx.node() else { return };
    let name = &s.extname;
    if !ctx.target.allows_extension(name)
        || ctx.target.installed_in(name).is_some()
        || option(&s.options, "cascade").is_some_and(option_is_on)
    {
        return;
    }
    let Some(known) = members(name) else { return };
    let Some(required) = known.requires.iter().find(|required| !has_extension(ctx, required)) else { return };
    let tree = canonical(node);
    let Some(mut options) = tree.pointer("/CreateExtensionStmt/options").and_then(|v| v.as_array()).cloned()
    else {
        return;
    };
    options.push(json!({"DefElem": {
        "defnamespace": "", "defname": "cascade", "arg": {"Boolean": {"boolval": true}},
        "defaction": pg::DefElemAction::DefelemUnspec as i32
    }}));
    let end = statement.body().end;
    let mut draft =
        Draft::new(format!("extension \"{name}\" needs extension \"{required}\", which does not exist yet"))
            .object(format!("extension {}", quoted(name)))
            .server(
                ServerError::new("42704", format!("required extension \"{required}\" is not installed"))
                    .hint("Use CREATE EXTENSION ... CASCADE to install required extensions too."),
            )
            .fix(
                FixDraft::edit("Let the server install what it needs")
                    .replace(end..end, " CASCADE")
                    .change(Change::Set("/CreateExtensionStmt/options".into(), options.into())),
            );
    if let Some(range) = extension_name(statement) {
        draft = draft.at(range);
    }
    ctx.report(draft);
}
