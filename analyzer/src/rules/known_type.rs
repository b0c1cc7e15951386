//! What is known of the type of a column or expression: what it is to an access method, and whether it has a collation.

use crate::facts::names::{qualified, quoted, shown_type, strings};
use crate::facts::tables::Traits;
use crate::facts::{ObjectId, TypeKind};
use crate::parse::{Class, NodeEnum, pg};
use crate::rule::Context;
use crate::rules::clauses::has_extension;
use crate::target::{IndexedType, has_known_classes, is_builtin, is_scalar, known, members, result_of_call};

/// A type that is known, with its name in the server's messages.
pub(crate) struct KnownType<'a> {
    /// What it is; a domain is what its type is.
    pub(crate) base: IndexedType<'a>,
    /// As the server writes it.
    pub(crate) shown: String,
}

impl<'a> KnownType<'a> {
    fn own(name: &'a str) -> Self {
        Self { base: IndexedType::Own(name), shown: shown_type(name).to_owned() }
    }
}

/// A type as its tree writes it, where it is known: one of PostgreSQL's own, of the files or of an extension.
pub(crate) fn known_type<'a>(ctx: &'a Context<'_>, written: &'a pg::TypeName) -> Option<KnownType<'a>> {
    let (schema, name) = qualified(&written.names)?;
    let element = named(ctx, schema, name, 0)?;
    if written.array_bounds.is_empty() { Some(element) } else { array(&element) }
}

/// The array of a type.
fn array<'a>(element: &KnownType<'a>) -> Option<KnownType<'a>> {
    match element.base {
        IndexedType::Own(name) if element.shown == shown_type(name) => {
            Some(KnownType { base: IndexedType::Array(name), shown: format!("{}[]", element.shown) })
        }
        _ => None,
    }
}

/// A type by its name. Domains of domains are followed down to some depth.
fn named<'a>(ctx: &'a Context<'_>, schema: Option<&str>, name: &'a str, depth: u32) -> Option<KnownType<'a>> {
    // What a serial column is.
    let name = match (schema, name) {
        (None, "serial" | "serial4") => "int4",
        (None, "bigserial" | "serial8") => "int8",
        (None, "smallserial" | "serial2") => "int2",
        (_, name) => name,
    };
    if schema.is_none_or(|schema| schema == "pg_catalog") && is_builtin(Class::Type, name) {
        return Some(KnownType::own(name));
    }
    let id = ctx.resolved(&ObjectId::new(Class::Type, schema, name));
    let is_seen = ctx.facts.search_path.iter().any(|seen| Some(&**seen) == id.schema.as_deref());
    let shown = if is_seen { quoted(&id.name) } else { id.path() };
    let Some(parts) = ctx.facts.type_parts(&id) else {
        let is_member = |extension: &str| {
            let is_there =
                || ctx.target.installed_in(extension).is_some_and(|own| Some(own) == id.schema.as_deref());
            has_extension(ctx, extension)
                && (ctx.facts.is_member_of(extension, Class::Type, schema, name)
                    || is_there() && members(extension).is_some_and(|of| of.has(Class::Type, name)))
        };
        let is_member = !ctx.facts.declares(&id)
            && known().any(|(extension, _)| has_known_classes(extension) && is_member(extension));
        return is_member.then_some(KnownType { base: IndexedType::Member(name), shown });
    };
    let base = match parts.kind {
        TypeKind::Enum => IndexedType::Enum,
        TypeKind::Composite => IndexedType::Composite,
        TypeKind::Range => IndexedType::Range,
        // A domain is indexed as its type is.
        TypeKind::Domain if depth < 8 && !parts.base.contains('[') => {
            let (schema, name) =
                parts.base.split_once('.').map_or((None, &*parts.base), |(s, n)| (Some(s), n));
            named(ctx, schema, name, depth + 1)?.base
        }
        TypeKind::Domain => return None,
    };
    Some(KnownType { base, shown })
}

/// The type of a table's column, where it is known; the definition is that of the table, where the statement creates it.
pub(crate) fn column_type<'a>(
    ctx: &'a Context<'_>,
    table: &ObjectId,
    definition: Option<&'a pg::CreateStmt>,
    column: &str,
) -> Option<KnownType<'a>> {
    if let Some(definition) = definition {
        let written = definition.table_elts.iter().find_map(|element| match element.node.as_ref()? {
            NodeEnum::ColumnDef(found) if found.colname == column => found.type_name.as_ref(),
            _ => None,
        })?;
        return known_type(ctx, written);
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
    let written = ctx.facts.names.name(found.data_type);
    let (schema, name) = written.split_once('.').map_or((None, written), |(s, n)| (Some(s), n));
    let element = named(ctx, schema, name, 0)?;
    if found.traits.has(Traits::ARRAY) { array(&element) } else { Some(element) }
}

/// The type of an expression over a table's columns, where it is known.
pub(crate) fn expression_type<'a>(
    ctx: &'a Context<'_>,
    table: &ObjectId,
    definition: Option<&'a pg::CreateStmt>,
    expression: &'a pg::Node,
) -> Option<KnownType<'a>> {
    let of = |node| expression_type(ctx, table, definition, node);
    match expression.node.as_ref()? {
        NodeEnum::ColumnRef(column) => match strings(&column.fields).as_slice() {
            [column] => column_type(ctx, table, definition, column),
            _ => None,
        },
        NodeEnum::TypeCast(cast) => known_type(ctx, cast.type_name.as_ref()?),
        NodeEnum::CollateClause(clause) => of(clause.arg.as_ref()?),
        NodeEnum::AExpr(expression) => {
            let operator = strings(&expression.name);
            let left = of(expression.lexpr.as_ref()?)?;
            let IndexedType::Own("json" | "jsonb") = left.base else { return None };
            match *operator.last()? {
                "->" | "#>" => Some(left),
                "->>" | "#>>" => Some(KnownType::own("text")),
                _ => None,
            }
        }
        NodeEnum::FuncCall(call) => {
            let (schema, name) = qualified(&call.funcname)?;
            let is_others = |extension: &str| {
                members(extension)
                    .is_none_or(|of| of.has(Class::Function, name) || of.overloads(Class::Function, name))
            };
            let may_be_others = || {
                !ctx.facts.schemas_with(Class::Function, name).is_empty()
                    || ctx.facts.extensions.keys().any(|extension| is_others(extension))
            };
            if schema.is_some_and(|schema| schema != "pg_catalog") || schema.is_none() && may_be_others() {
                return None;
            }
            let arguments: Vec<Option<&str>> = call
                .args
                .iter()
                .map(|argument| match argument.node.as_ref() {
                    // A constant is of whatever type fits.
                    Some(NodeEnum::AConst(_)) => Some(None),
                    _ => match of(argument)?.base {
                        IndexedType::Own(name) => Some(Some(name)),
                        _ => None,
                    },
                })
                .collect::<Option<_>>()?;
            result_of_call(name, &arguments).filter(|name| is_scalar(name)).map(KnownType::own)
        }
        _ => None,
    }
}
