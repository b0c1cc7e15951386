//! EXT-07: CREATE EXTENSION after objects that the service's allow-list does not suffer.

use super::ext_01_unsupported_extension::extension_name;
use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::names::{option, option_text, quoted};
use crate::finding::{Place, ServerError, Severity};
use crate::parse::{Class, NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, Rule};
use crate::target::{is_builtin, is_variadic_builtin};

pub(crate) const RULE: Rule = Rule {
    id: "EXT-07",
    name: "extension-too-late",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::limit(
        "extension.shadow-and-temp",
        "CREATE EXTENSION after temporary tables or after functions that shadow PostgreSQL's.",
    ),
    statements: &[StatementKind::CreateExtensionStmt],
    doc: Doc {
        summary: "CREATE EXTENSION after temporary objects, or beside objects named like the server's own.",
        what: "A CREATE EXTENSION (even one that says IF NOT EXISTS, of an extension that exists) after CREATE TEMPORARY in the same session, or after the dump has put into the extension's schema a table, a function or an aggregate of a name that pg_catalog has too: public.pg_class, public.sum(app.money). For timescaledb only functions count that take any number of arguments, such as concat and format.",
        why: "The service's module pgextwlist runs the extension's script as superuser and refuses where the script could be led to the wrong object. A dump creates its extensions first, so this happens where two dumps are restored one after the other, or extensions are created late.",
        server: &[
            "extension \"hstore\" cannot be installed with temporary objects in the session",
            "HINT Start a new session (psql -X).",
            "extension \"hstore\" cannot be installed because \"public\".\"pg_class\" shadows a pg_catalog object",
            "extension \"hstore\" cannot be installed because \"public\".\"sum\"() shadows a pg_catalog function",
        ],
        help: "Run all CREATE EXTENSION statements in a session of their own before everything else.",
        before: "CREATE TEMPORARY TABLE work (a integer);\nCREATE EXTENSION hstore WITH SCHEMA public;",
        after: "",
        sources: Doc::sources(&["timescale/pgextwlist, pgextwlist.c lines 273 to 470"]),
        link: "https://www.tigerdata.com/docs/deploy/tiger-cloud/tiger-cloud-aws/tiger-cloud-extensions",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, NodeEnum::CreateExtensionStmt(s))) = ctx.node() else { return };
    let name = &s.extname;
    if !ctx.target.allows_extension(name) || name == "plpgsql" {
        return;
    }
    let server = if ctx.facts.temporary_objects {
        Some((
            format!("extension \"{name}\" cannot be installed with temporary objects in the session"),
            None,
        ))
    } else {
        let schema = option(&s.options, "schema").and_then(option_text).unwrap_or("public");
        shadow(ctx, name, schema).map(|(object, kind, place)| {
            (
                format!(
                    "extension \"{name}\" cannot be installed because {object} shadows a pg_catalog {kind}"
                ),
                Some(place),
            )
        })
    };
    let Some((server, place)) = server else { return };
    let mut draft = Draft::new(format!("the service refuses to create extension \"{name}\" this late"))
        .object(format!("extension {}", quoted(name)))
        .server(ServerError::new("42501", server))
        .advice("Create all extensions in a session of their own, before anything else.");
    if let Some(place) = place {
        draft = draft.related(place, "this has a name of the server's");
    }
    if let Some(range) = extension_name(statement) {
        draft = draft.at(range);
    }
    ctx.report(draft);
}

/// An object in the extension's schema that has the name of one of pg_catalog's.
fn shadow(ctx: &Context<'_>, extension: &str, schema: &str) -> Option<(String, &'static str, Place)> {
    let lives = |id: &ObjectId| id.schema.as_deref() == Some(schema) && !ctx.facts.absent.contains_key(id);
    let relation = ctx
        .facts
        .relations
        .iter()
        .find(|(id, _)| lives(id) && is_builtin(Class::Relation, &id.name))
        .map(|(id, relation)| (format!("\"{schema}\".\"{}\"", id.name), "object", relation.place));
    relation.or_else(|| {
        let shadows = |name: &str| {
            if extension == "timescaledb" {
                is_variadic_builtin(name)
            } else {
                is_builtin(Class::Function, name)
            }
        };
        ctx.facts
            .objects
            .iter()
            .find(|(id, _)| id.class == Class::Function && lives(id) && shadows(&id.name))
            .map(|(id, declared)| (format!("\"{schema}\".\"{}\"()", id.name), "function", declared.place))
    })
}
