//! DATA-15: indexes and exclusion constraints on columns whose type has no default operator class for the access method.

use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::names::{quoted, relation, shown_type, string};
use crate::facts::objects::created;
use crate::facts::tables::Traits;
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::clauses::has_extension;
use crate::target::has_default_operator_class;

pub(crate) const RULE: Rule = Rule {
    id: "DATA-15",
    name: "default-operator-class",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::purpose("indexes whose operator class comes from an extension that is not created"),
    statements: &[
        StatementKind::IndexStmt,
        StatementKind::CreateStmt,
        StatementKind::AlterTableStmt,
        StatementKind::CreateExtensionStmt,
    ],
    doc: Doc {
        summary: "A column whose type has no default operator class for the index's access method.",
        what: "CREATE INDEX … USING gist, gin, spgist or hash and EXCLUDE USING gist on a plain column of one of \
               PostgreSQL's own types, where neither PostgreSQL nor an extension that the files create has an operator \
               class for it: mostly btree_gist or btree_gin that is missing. Expressions and columns of other types are not \
               looked at.",
        why: "Without an operator class in the statement the server takes the default one for the type, and refuses where there \
              is none.",
        server: &["42704 data type integer has no default operator class for access method \"gist\""],
        help: "The rewrite creates btree_gist or btree_gin before the statement. Where the source has the operator class from \
               elsewhere, give the file that creates it.",
        before: "CREATE TABLE public.bookings (room integer, during tsrange, EXCLUDE USING gist (room WITH =, during WITH &&));",
        after: "-- tsmigrate DATA-15: Create extension btree_gist first\nCREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA public;\nCREATE TABLE public.bookings (room integer, during tsrange, EXCLUDE USING gist (room WITH =, during WITH &&));",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/indexcmds.c, ResolveOpClass",
            "pg_opclass of 15.18, 17.12 and 18.6, which are the same (target/operator_classes.rs)",
        ]),
        link: "https://www.postgresql.org/docs/current/indexes-opclass.html",
    },
    check,
    ..Rule::DEFAULT
};

/// Extensions that bring default operator classes for PostgreSQL's own types, with the access method.
const PROVIDERS: [(&str, &str); 2] = [("gist", "btree_gist"), ("gin", "btree_gin")];

/// Types for which neither has one (their control files' scripts).
const UNPROVIDED: [&str; 12] = [
    "json", "jsonb", "xml", "box", "circle", "line", "lseg", "path", "point", "polygon", "pg_lsn", "tsquery",
];

/// Extensions that the rewrite creates, and the inputs do not: what uses them fails as it stands.
#[derive(Clone, Debug, Default)]
struct Added(Vec<&'static str>);

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    match node {
        NodeEnum::CreateExtensionStmt(s) => ctx.states.of::<Added>().0.retain(|name| *name != s.extname),
        NodeEnum::IndexStmt(s) => {
            let Some(range) = &s.relation else { return };
            look(ctx, range, None, &s.access_method, &s.index_params.iter().collect::<Vec<_>>());
        }
        NodeEnum::CreateStmt(s) => {
            let Some(range) = &s.relation else { return };
            for element in &s.table_elts {
                if let Some(NodeEnum::Constraint(constraint)) = &element.node {
                    exclusion(ctx, range, Some(s), constraint);
                }
            }
        }
        NodeEnum::AlterTableStmt(s) => {
            let Some(range) = &s.relation else { return };
            for command in &s.cmds {
                if let Some(NodeEnum::AlterTableCmd(command)) = &command.node
                    && let Some(NodeEnum::Constraint(constraint)) =
                        command.def.as_ref().and_then(|def| def.node.as_ref())
                {
                    exclusion(ctx, range, None, constraint);
                }
            }
        }
        _ => {}
    }
}

/// The index of an exclusion constraint.
fn exclusion(
    ctx: &mut Context<'_>,
    table: &pg::RangeVar,
    definition: Option<&pg::CreateStmt>,
    constraint: &pg::Constraint,
) {
    if constraint.without_overlaps && ctx.target.version >= 18 {
        // It is an exclusion by gist: all columns but the last are compared by equality.
        let (_, compared) = constraint.keys.split_last().unzip();
        let element = |key: &pg::Node| {
            let name = string(key)?.to_owned();
            Some(pg::Node {
                node: Some(NodeEnum::IndexElem(Box::new(pg::IndexElem { name, ..Default::default() }))),
            })
        };
        let elements: Vec<pg::Node> = compared.into_iter().flatten().filter_map(element).collect();
        return look(ctx, table, definition, "gist", &elements.iter().collect::<Vec<_>>());
    }
    if constraint.contype != pg::ConstrType::ConstrExclusion as i32 {
        return;
    }
    // Each is a list of an element and its operator.
    // Copies of trees would take their code into the module for browsers: 66 kB and more.
    let elements: Vec<&pg::Node> = constraint
        .exclusions
        .iter()
        .filter_map(|pair| match pair.node.as_ref()? {
            NodeEnum::List(pair) => pair.items.first(),
            _ => None,
        })
        .collect();
    let method = if constraint.access_method.is_empty() { "gist" } else { &constraint.access_method };
    look(ctx, table, definition, method, &elements);
}

/// Reports the first column without an operator class.
fn look(
    ctx: &mut Context<'_>,
    table: &pg::RangeVar,
    definition: Option<&pg::CreateStmt>,
    method: &str,
    elements: &[&pg::Node],
) {
    let method = if method == "rtree" { "gist" } else { method };
    let (schema, name) = relation(table);
    let table = ctx.resolved(&ObjectId::new(Class::Relation, schema, name));
    let found = elements.iter().find_map(|element| {
        let Some(NodeEnum::IndexElem(element)) = &element.node else { return None };
        if !element.opclass.is_empty() {
            return None;
        }
        let data_type = match element.expr.as_ref().map(|expression| &expression.node) {
            None => column_type(ctx, &table, definition, &element.name)?,
            Some(Some(NodeEnum::TypeCast(cast))) => base_type(cast.type_name.as_ref()?)?,
            Some(_) => return None,
        };
        (has_default_operator_class(method, &data_type) == Some(false)).then_some(data_type)
    });
    let Some(data_type) = found else { return };
    let there: Vec<&'static str> =
        PROVIDERS.iter().map(|(_, extension)| *extension).filter(|name| has_extension(ctx, name)).collect();
    let has = |extension: &str| there.contains(&extension);
    let providers = || PROVIDERS.iter().filter(|(of, _)| *of == method).map(|(_, extension)| *extension);
    let added = |extension: &str| ctx.states.get::<Added>().is_some_and(|added| added.0.contains(&extension));
    if providers().any(|extension| has(extension) && !added(extension)) {
        return;
    }
    let node = ctx.node().map(|(_, node)| node);
    let object =
        node.and_then(created).map_or_else(|| format!("table {}", table.path()), |o| ctx.describe(&o));
    let error = ServerError::new(
        "42704",
        format!(
            "data type {} has no default operator class for access method \"{method}\"",
            shown_type(&data_type)
        ),
    );
    let message = format!(
        "{object}: type {} has no default operator class for access method {method}",
        shown_type(&data_type)
    );
    let mut draft = Draft::new(message).object(object).server(error);
    if let Some(extension) = providers()
        .find(|extension| ctx.target.allows_extension(extension) && !UNPROVIDED.contains(&&*data_type))
    {
        draft = draft.fix(if has(extension) {
            FixDraft::surround(
                format!("Use extension {extension}, which is created before it"),
                Vec::new(),
                Vec::new(),
            )
        } else {
            ctx.states.of::<Added>().0.push(extension);
            let create = format!("CREATE EXTENSION IF NOT EXISTS {} WITH SCHEMA public;", quoted(extension));
            FixDraft::surround(format!("Create extension {extension} first"), vec![create], Vec::new())
        });
    }
    ctx.report(draft);
}

/// The name in `pg_type` of a type of PostgreSQL's own, as its tree writes it.
fn base_type(data_type: &pg::TypeName) -> Option<String> {
    let (schema, name) = crate::facts::names::qualified(&data_type.names)?;
    let of_catalog = schema.is_none_or(|schema| schema == "pg_catalog");
    (of_catalog && data_type.array_bounds.is_empty()).then(|| name.to_owned())
}

/// The name in `pg_type` of a column's type, where it is one of PostgreSQL's own.
fn column_type(
    ctx: &Context<'_>,
    table: &ObjectId,
    definition: Option<&pg::CreateStmt>,
    column: &str,
) -> Option<String> {
    if let Some(definition) = definition {
        let types = definition.table_elts.iter().find_map(|element| match element.node.as_ref()? {
            NodeEnum::ColumnDef(found) if found.colname == column => found.type_name.as_ref(),
            _ => None,
        })?;
        return base_type(types);
    }
    let (mut tables, mut seen) = (vec![table], Vec::new());
    let found = loop {
        let table = tables.pop()?;
        if seen.contains(&table) {
            continue;
        }
        seen.push(table);
        let Some(relation) = ctx.facts.relations.get(table) else { continue };
        let own = relation.columns.iter().find(|found| ctx.facts.names.name(found.name) == column);
        match own {
            Some(own) => break own,
            // What it inherits.
            None => tables.extend(&relation.parents),
        }
    };
    if found.traits.has(Traits::ARRAY) {
        return None;
    }
    let data_type = ctx.facts.names.name(found.data_type);
    Some(data_type.strip_prefix("pg_catalog.").unwrap_or(data_type).to_owned())
}
