//! IN-16: objects without a schema where search_path is empty.

use serde_json::{Value, json};

use crate::edit::Safety;
use crate::facts::names::{is_temporary, option, qualified};
use crate::facts::objects::{created, created_range};
use crate::facts::{Object, ObjectId};
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Change, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::target::members;

pub(crate) const RULE: Rule = Rule {
    id: "IN-16",
    name: "no-schema",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::purpose(
        "objects without a schema where search_path is empty, as in statements added to a dump by hand",
    ),
    statement_groups: &[StatementKind::CREATING],
    statements: &[
        StatementKind::CreateOpClassStmt,
        StatementKind::CreateOpFamilyStmt,
        StatementKind::CreateConversionStmt,
        StatementKind::CreateStatsStmt,
        StatementKind::CreateExtensionStmt,
    ],
    doc: Doc {
        summary: "A statement creates an object without naming its schema, where search_path is empty, or begins with pg_catalog.",
        what: "CREATE TABLE, VIEW, SEQUENCE, TYPE, FUNCTION, EXTENSION and their like with a bare name behind pg_dump's own \
               SELECT pg_catalog.set_config('search_path', '', false): statements that were added to a dump by hand.",
        why: "The server puts a bare name into the first schema of search_path, and there is none. It goes on with the next \
              statement, so the object is missing later.",
        server: &[
            "3F000 no schema has been selected to create in",
            "42501 permission denied for schema pg_catalog",
        ],
        help: "The rewrite puts it into schema public, where a session's usual search_path would. Write another schema before \
               the name where you mean one.",
        before: "SELECT pg_catalog.set_config('search_path', '', false);\nCREATE TABLE notes (id integer);",
        after: "SELECT pg_catalog.set_config('search_path', '', false);\nCREATE TABLE public.notes (id integer);",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/catalog/namespace.c, RangeVarGetCreationNamespace, \
                    QualifiedNameGetCreationNamespace; src/backend/commands/extension.c, CreateExtensionInternal",
        ]),
        link: "https://www.postgresql.org/docs/current/ddl-schemas.html#DDL-SCHEMAS-PATH",
    },
    check,
    ..Rule::DEFAULT
};

/// The schema that a session has at first.
const USUAL: &str = "public";

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let first = ctx.facts.search_path.first().map(|schema| &**schema);
    if !matches!(first, None | Some("pg_catalog" | "information_schema")) || ctx.is_removed() {
        return;
    }
    let Some(object) = created(node) else { return };
    let in_schema = object.id.class.is_in_search_path() || matches!(object.word, "statistics" | "conversion");
    let fix = match node {
        NodeEnum::CreateExtensionStmt(s) if first.is_none() && needs_schema(ctx, s) => {
            extension(statement, s)
        }
        // An index goes where its table is, a temporary table into a schema of its own.
        NodeEnum::IndexStmt(_) => return,
        _ if !in_schema || object.id.schema.is_some() || created_range(node).is_some_and(is_temporary) => {
            return;
        }
        _ => qualify(statement, node, &object.id.name),
    };
    let words = format!("{} {}", object.word, object.id.path());
    let schema = in_schema.then(|| USUAL.into());
    let placed = Object { word: object.word, id: ObjectId { schema, ..object.id.clone() } };
    let (why, server) = match first {
        None => (
            "search_path is empty here".to_owned(),
            ServerError::new("3F000", "no schema has been selected to create in"),
        ),
        Some(schema) => (
            format!("search_path begins with {schema} here"),
            ServerError::new("42501", format!("permission denied for schema {schema}")),
        ),
    };
    let mut draft =
        Draft::new(format!("{words} names no schema, and {why}")).object(placed.to_string()).server(server);
    if let Some(fix) = fix.filter(|_| ctx.facts.may_have_schema(USUAL)) {
        draft = draft.fix(fix);
    }
    ctx.report(draft);
}

fn needs_schema(ctx: &Context<'_>, s: &pg::CreateExtensionStmt) -> bool {
    let fixed = members(&s.extname).and_then(|known| known.schema).is_some();
    // IF NOT EXISTS of one that exists is refused too where pgextwlist runs the statement.
    option(&s.options, "schema").is_none() && !fixed && ctx.target.allows_extension(&s.extname)
}

fn title() -> String {
    format!("Name schema {USUAL}")
}

fn extension(statement: &Statement<'_>, s: &pg::CreateExtensionStmt) -> Option<FixDraft> {
    let name =
        statement.code().find(|token| token.identifier(statement.sql()).as_deref() == Some(&*s.extname))?;
    s.options.is_empty().then(|| {
        FixDraft::replace_with(
            title(),
            vec![format!(
                "CREATE EXTENSION IF NOT EXISTS {} WITH SCHEMA {USUAL};",
                statement.sql().get(name.start..name.end).unwrap_or(&s.extname)
            )],
        )
    })
}

/// Puts the schema before the name of the object.
fn qualify(statement: &Statement<'_>, node: &NodeEnum, name: &str) -> Option<FixDraft> {
    let list = |path: &str, names: &[pg::Node]| {
        let (None, name) = qualified(names)? else { return None };
        let names: Vec<Value> =
            [USUAL, name].iter().map(|name| json!({ "String": { "sval": name } })).collect();
        Some(Change::Set(path.to_owned(), Value::Array(names)))
    };
    let range = |path: &str| Some(Change::set_str(format!("{path}/schemaname"), USUAL));
    let change = match node {
        NodeEnum::CreateStmt(_) => range("/CreateStmt/relation"),
        NodeEnum::CreateForeignTableStmt(_) => range("/CreateForeignTableStmt/base_stmt/relation"),
        NodeEnum::CreateTableAsStmt(_) => range("/CreateTableAsStmt/into/rel"),
        NodeEnum::ViewStmt(_) => range("/ViewStmt/view"),
        NodeEnum::CreateSeqStmt(_) => range("/CreateSeqStmt/sequence"),
        NodeEnum::CompositeTypeStmt(_) => range("/CompositeTypeStmt/typevar"),
        NodeEnum::CreateEnumStmt(s) => list("/CreateEnumStmt/type_name", &s.type_name),
        NodeEnum::CreateRangeStmt(s) => list("/CreateRangeStmt/type_name", &s.type_name),
        NodeEnum::CreateDomainStmt(s) => list("/CreateDomainStmt/domainname", &s.domainname),
        NodeEnum::DefineStmt(s) => list("/DefineStmt/defnames", &s.defnames),
        NodeEnum::CreateFunctionStmt(s) => list("/CreateFunctionStmt/funcname", &s.funcname),
        NodeEnum::CreateOpClassStmt(s) => list("/CreateOpClassStmt/opclassname", &s.opclassname),
        NodeEnum::CreateOpFamilyStmt(s) => list("/CreateOpFamilyStmt/opfamilyname", &s.opfamilyname),
        NodeEnum::CreateConversionStmt(s) => {
            list("/CreateConversionStmt/conversion_name", &s.conversion_name)
        }
        NodeEnum::CreateStatsStmt(s) => list("/CreateStatsStmt/defnames", &s.defnames),
        _ => None,
    }?;
    let sql = statement.sql();
    let is_name = |token: &&crate::parse::Token| {
        token.depth == 0 && (token.identifier(sql).as_deref() == Some(name) || token.text(sql) == name)
    };
    // The first word is CREATE, whatever the object's name.
    let at = statement.code().skip(1).find(is_name)?.start;
    Some(FixDraft::edit(title()).replace(at..at, format!("{USUAL}.")).change(change))
}
