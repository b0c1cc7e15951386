//! COL-04: definitions of collations that the server refuses, and COLLATE on what has none.

use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::names::{option, option_is_on, option_text, options, relation, string};
use crate::facts::objects::{created, subject};
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, Rule};
use crate::rules::known_type::{KnownType, column_type, known_type};
use crate::target::is_collatable;
use crate::text::parse_bool;

pub(crate) const RULE: Rule = Rule {
    id: "COL-04",
    name: "refused-collation",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::purpose("definitions of collations that no server takes, and types without one"),
    statements: &[
        StatementKind::DefineStmt,
        StatementKind::CreateStmt,
        StatementKind::CreateDomainStmt,
        StatementKind::CompositeTypeStmt,
        StatementKind::AlterTableStmt,
        StatementKind::IndexStmt,
    ],
    after: &["IN-06", "COL-02"],
    doc: Doc {
        summary: "A collation that is defined in a way the server refuses, or COLLATE on a type that has none.",
        what: "CREATE COLLATION with an attribute or a provider that does not exist, without a locale, with one that the \
               builtin provider lacks, or nondeterministic without ICU; COLLATE of a column, attribute, domain, index or key \
               of partitions whose type is no text.",
        why: "The server looks at both when it creates the object.",
        server: &[
            "42P17 parameter \"locale\" must be specified",
            "42P17 unrecognized collation provider: nosuch",
            "42601 collation attribute \"nosuch\" not recognized",
            "0A000 nondeterministic collations not supported with this provider",
            "42804 collations are not supported by type integer",
        ],
        help: "Define the collation with provider and locale; leave COLLATE out where no text is compared.",
        before: "CREATE TABLE public.readings (id integer COLLATE pg_catalog.\"C\");",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/collationcmds.c, DefineCollation; parse_type.c, GetColumnDefCollation",
            "asked of 15.18, 17.12 and 18.6",
        ]),
        link: "https://www.postgresql.org/docs/current/sql-createcollation.html",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    if ctx.findings.iter().any(|finding| finding.severity == Severity::Error) {
        return;
    }
    let error = match node {
        NodeEnum::DefineStmt(s) if s.kind == pg::ObjectType::ObjectCollation as i32 => {
            definition(&s.definition, ctx.target.version)
        }
        node => untaken(ctx, node),
    };
    let Some(error) = error else { return };
    let object = created(node).or_else(|| subject(node));
    let words = object.map_or_else(|| "this statement".to_owned(), |object| ctx.describe(&object));
    ctx.report(Draft::new(format!("{words}: {}", error.text)).object(words).server(error));
}

/// What the server says of the options of CREATE COLLATION, in the order in which it looks.
fn definition(definition: &[pg::Node], version: u32) -> Option<ServerError> {
    let refused = |code: &'static str, text: String| Some(ServerError::new(code, text));
    let mut seen: Vec<&str> = Vec::new();
    for option in options(definition) {
        let name = option.defname.as_str();
        let known =
            ["from", "locale", "lc_collate", "lc_ctype", "provider", "deterministic", "version", "rules"];
        if !known.contains(&name) || name == "rules" && version < 16 {
            return refused("42601", format!("collation attribute \"{name}\" not recognized"));
        }
        if seen.contains(&name) {
            return refused("42601", "conflicting or redundant options".to_owned());
        }
        seen.push(name);
    }
    let has = |name: &str| seen.contains(&name);
    let conflict = |detail: &str| {
        Some(ServerError::new("42601", "conflicting or redundant options").detail(detail.to_owned()))
    };
    let has_locale = has("locale");
    if has_locale && (has("lc_collate") || has("lc_ctype")) {
        return conflict("LOCALE cannot be specified together with LC_COLLATE or LC_CTYPE.");
    }
    if has("from") {
        let from = option(definition, "from").and_then(|from| from.arg.as_ref()?.node.as_ref());
        let is_default = match from {
            Some(NodeEnum::List(list)) => list.items.last().and_then(string) == Some("default"),
            _ => false,
        };
        return if seen.len() > 1 {
            conflict("FROM cannot be specified together with any other options.")
        } else if is_default {
            refused("42P17", "collation \"default\" cannot be copied".to_owned())
        } else {
            None
        };
    }
    let value = |name: &str| option(definition, name).and_then(option_text);
    let given = option(definition, "deterministic");
    if given.and_then(option_text).is_some_and(|value| parse_bool(value).is_none()) {
        return refused("42601", "deterministic requires a Boolean value".to_owned());
    }
    let must = |name: &str| refused("42P17", format!("parameter \"{name}\" must be specified"));
    let provider = value("provider").unwrap_or("libc");
    match provider.to_ascii_lowercase().as_str() {
        "libc" if !has_locale && !has("lc_collate") => return must("lc_collate"),
        "libc" if !has_locale && !has("lc_ctype") => return must("lc_ctype"),
        "icu" if !has_locale => return must("locale"),
        "libc" | "icu" => {}
        "builtin" if version >= 17 => {
            if !has_locale {
                return must("locale");
            }
            let locale = value("locale")?;
            let is_known =
                matches!(locale, "C" | "C.UTF-8" | "C.UTF8") || locale == "PG_UNICODE_FAST" && version >= 18;
            if !is_known {
                return refused("42809", format!("invalid locale name \"{locale}\" for builtin provider"));
            }
        }
        _ => return refused("42P17", format!("unrecognized collation provider: {provider}")),
    }
    if provider.eq_ignore_ascii_case("icu") {
        return None;
    }
    if given.is_some_and(|given| !option_is_on(given)) {
        return refused("0A000", "nondeterministic collations not supported with this provider".to_owned());
    }
    let text = "ICU rules cannot be specified unless locale provider is ICU";
    has("rules").then(|| ServerError::new("42P17", text))
}

/// COLLATE on a type without a collation.
fn untaken(ctx: &Context<'_>, node: &NodeEnum) -> Option<ServerError> {
    let refused = |known: KnownType<'_>| {
        let text = || format!("collations are not supported by type {}", known.shown);
        (is_collatable(known.base) == Some(false)).then(|| ServerError::new("42804", text()))
    };
    let of_column = |column: &pg::ColumnDef| {
        column.coll_clause.as_ref()?;
        known_type(ctx, column.type_name.as_ref()?).and_then(refused)
    };
    let of_columns = |columns: &[pg::Node]| {
        columns.iter().find_map(|column| match column.node.as_ref()? {
            NodeEnum::ColumnDef(column) => of_column(column),
            _ => None,
        })
    };
    match node {
        NodeEnum::CreateDomainStmt(s) => {
            s.coll_clause.as_ref()?;
            known_type(ctx, s.type_name.as_ref()?).and_then(refused)
        }
        NodeEnum::CompositeTypeStmt(s) => of_columns(&s.coldeflist),
        NodeEnum::CreateStmt(s) => of_columns(&s.table_elts).or_else(|| {
            let range = s.relation.as_ref()?;
            s.partspec.as_ref()?.part_params.iter().find_map(|key| match key.node.as_ref()? {
                NodeEnum::PartitionElem(key) if !key.collation.is_empty() => {
                    of_key(ctx, range, Some(s), &key.name, key.expr.as_deref()).and_then(refused)
                }
                _ => None,
            })
        }),
        NodeEnum::AlterTableStmt(s) => s.cmds.iter().find_map(|command| match command.node.as_ref()? {
            NodeEnum::AlterTableCmd(command) => match command.def.as_ref()?.node.as_ref()? {
                NodeEnum::ColumnDef(column) => of_column(column),
                _ => None,
            },
            _ => None,
        }),
        NodeEnum::IndexStmt(s) => s.index_params.iter().find_map(|key| match key.node.as_ref()? {
            NodeEnum::IndexElem(key) if !key.collation.is_empty() => {
                of_key(ctx, s.relation.as_ref()?, None, &key.name, key.expr.as_deref()).and_then(refused)
            }
            _ => None,
        }),
        _ => None,
    }
}

/// The type of what an index or a partition's key holds: a column, or an expression that is a cast.
fn of_key<'a>(
    ctx: &'a Context<'_>,
    table: &pg::RangeVar,
    definition: Option<&'a pg::CreateStmt>,
    column: &str,
    expression: Option<&'a pg::Node>,
) -> Option<KnownType<'a>> {
    match expression.map(|expression| &expression.node) {
        None => {
            let (schema, name) = relation(table);
            let table = ctx.resolved(&ObjectId::new(Class::Relation, schema, name));
            column_type(ctx, &table, definition, column)
        }
        Some(Some(NodeEnum::TypeCast(cast))) => known_type(ctx, cast.type_name.as_ref()?),
        Some(_) => None,
    }
}
