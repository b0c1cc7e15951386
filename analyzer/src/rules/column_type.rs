//! What is known of the type of a column: what it is to an access method, and whether it has a collation.

use crate::facts::names::{qualified, quoted, shown_type};
use crate::facts::tables::Traits;
use crate::facts::{ObjectId, TypeKind};
use crate::parse::{Class, NodeEnum, pg};
use crate::rule::Context;
use crate::target::{IndexedType, is_builtin};

/// A type that is known, with its name in the server's messages.
pub(crate) struct KnownType<'a> {
    /// What it is; a domain is what its type is.
    pub(crate) base: IndexedType<'a>,
    /// As the server writes it.
    pub(crate) shown: String,
}

/// A type as its tree writes it, where it is known: one of PostgreSQL's own or of the files.
pub(crate) fn known_type<'a>(ctx: &'a Context<'_>, written: &'a pg::TypeName) -> Option<KnownType<'a>> {
    let (schema, name) = qualified(&written.names)?;
    if written.array_bounds.is_empty() { known(ctx, schema, name) } else { None }
}

fn known<'a>(ctx: &'a Context<'_>, schema: Option<&str>, name: &'a str) -> Option<KnownType<'a>> {
    // What a serial column is.
    let name = match (schema, name) {
        (None, "serial" | "serial4") => "int4",
        (None, "bigserial" | "serial8") => "int8",
        (None, "smallserial" | "serial2") => "int2",
        (_, name) => name,
    };
    if schema.is_none_or(|schema| schema == "pg_catalog") && is_builtin(Class::Type, name) {
        return Some(KnownType { base: IndexedType::Own(name), shown: shown_type(name).to_owned() });
    }
    let id = ctx.resolved(&ObjectId::new(Class::Type, schema, name));
    let parts = ctx.facts.type_parts(&id)?;
    let base = match parts.kind {
        TypeKind::Enum => IndexedType::Enum,
        TypeKind::Composite => IndexedType::Composite,
        TypeKind::Range => IndexedType::Range,
        // A domain is indexed as its type is.
        TypeKind::Domain => IndexedType::Own(
            parts.base.strip_prefix("pg_catalog.").filter(|base| !base.contains(['.', '[']))?,
        ),
    };
    let is_seen = ctx.facts.search_path.iter().any(|seen| Some(&**seen) == id.schema.as_deref());
    Some(KnownType { base, shown: if is_seen { quoted(&id.name) } else { id.path() } })
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
    if found.traits.has(Traits::ARRAY) {
        return None;
    }
    let (schema, name) = match ctx.facts.names.name(found.data_type).split_once('.') {
        Some((schema, name)) => (Some(schema), name),
        None => (None, ctx.facts.names.name(found.data_type)),
    };
    known(ctx, schema, name)
}
