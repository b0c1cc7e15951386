//! DATA-15: indexes and exclusion constraints on columns whose type has no default operator class for the access method.

use crate::edit::Safety;
use crate::facts::names::{quoted, relation, string};
use crate::facts::objects::created;
use crate::facts::ObjectId;
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::clauses::has_extension;
use crate::rules::column_type::{KnownType, column_type, known_type};
use crate::target::{IndexedType, has_default_operator_class};

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
        what: "CREATE INDEX, EXCLUDE, UNIQUE, PRIMARY KEY and PARTITION BY on a plain column of one of PostgreSQL's own types, or \
               of an enum, a composite type, a range or a domain of the files, where neither PostgreSQL nor an extension that \
               the files create has an operator class for it: mostly btree_gist or btree_gin that is missing. Expressions, \
               arrays and columns of other types are not looked at.",
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
            let keys: Vec<Key<'_>> = s.index_params.iter().filter_map(Key::of_index).collect();
            look(ctx, range, None, &s.access_method, &keys);
        }
        NodeEnum::CreateStmt(s) => {
            let Some(range) = &s.relation else { return };
            for element in &s.table_elts {
                match &element.node {
                    Some(NodeEnum::Constraint(one)) => constraint(ctx, range, Some(s), None, one),
                    Some(NodeEnum::ColumnDef(column)) => of_column(ctx, range, Some(s), column),
                    _ => {}
                }
            }
            if let Some(spec) = &s.partspec {
                let is_hash = spec.strategy == pg::PartitionStrategy::Hash as i32;
                let keys: Vec<Key<'_>> = spec.part_params.iter().filter_map(Key::of_partitions).collect();
                look(ctx, range, Some(s), if is_hash { "hash" } else { "btree" }, &keys);
            }
        }
        NodeEnum::AlterTableStmt(s) => {
            let Some(range) = &s.relation else { return };
            for command in &s.cmds {
                let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { continue };
                match command.def.as_ref().and_then(|def| def.node.as_ref()) {
                    Some(NodeEnum::Constraint(one)) => constraint(ctx, range, None, None, one),
                    Some(NodeEnum::ColumnDef(column)) => of_column(ctx, range, None, column),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// A column, or an expression that is a cast, for which the server looks for the default operator class.
#[derive(Clone, Copy)]
enum Key<'a> {
    Column(&'a str),
    Type(&'a pg::TypeName),
}

impl<'a> Key<'a> {
    fn new(column: &'a str, expression: Option<&'a pg::Node>, operator_class: &[pg::Node]) -> Option<Self> {
        if !operator_class.is_empty() {
            return None;
        }
        match expression.map(|expression| &expression.node) {
            None => Some(Self::Column(column)),
            Some(Some(NodeEnum::TypeCast(cast))) => cast.type_name.as_ref().map(Self::Type),
            Some(_) => None,
        }
    }

    fn of_index(element: &'a pg::Node) -> Option<Self> {
        let Some(NodeEnum::IndexElem(one)) = &element.node else { return None };
        Self::new(&one.name, one.expr.as_deref(), &one.opclass)
    }

    fn of_partitions(element: &'a pg::Node) -> Option<Self> {
        let Some(NodeEnum::PartitionElem(one)) = &element.node else { return None };
        Self::new(&one.name, one.expr.as_deref(), &one.opclass)
    }
}

/// UNIQUE and PRIMARY KEY behind a column.
fn of_column(
    ctx: &mut Context<'_>,
    table: &pg::RangeVar,
    definition: Option<&pg::CreateStmt>,
    column: &pg::ColumnDef,
) {
    for one in &column.constraints {
        if let Some(NodeEnum::Constraint(one)) = &one.node {
            constraint(ctx, table, definition, Some(column), one);
        }
    }
}

/// The index of a key or of an exclusion constraint.
fn constraint(
    ctx: &mut Context<'_>,
    table: &pg::RangeVar,
    definition: Option<&pg::CreateStmt>,
    column: Option<&pg::ColumnDef>,
    constraint: &pg::Constraint,
) {
    use pg::ConstrType as C;
    let columns = || constraint.keys.iter().filter_map(string).map(Key::Column);
    let (method, keys): (&str, Vec<Key<'_>>) = match C::try_from(constraint.contype) {
        Ok(C::ConstrPrimary | C::ConstrUnique) if constraint.without_overlaps && ctx.target.version >= 18 => {
            // It is an exclusion by gist: all columns but the last are compared by equality.
            ("gist", columns().take(constraint.keys.len().saturating_sub(1)).collect())
        }
        Ok(C::ConstrPrimary | C::ConstrUnique) => {
            let own = column.and_then(|column| column.type_name.as_ref()).map(Key::Type);
            ("btree", columns().chain(own).collect())
        }
        Ok(C::ConstrExclusion) => {
            // Each is a list of an element and its operator.
            let keys = constraint.exclusions.iter().filter_map(|pair| match pair.node.as_ref()? {
                NodeEnum::List(pair) => Key::of_index(pair.items.first()?),
                _ => None,
            });
            let method = &*constraint.access_method;
            (if method.is_empty() { "gist" } else { method }, keys.collect())
        }
        _ => return,
    };
    look(ctx, table, definition, method, &keys);
}

/// Reports the first column without an operator class.
fn look(
    ctx: &mut Context<'_>,
    table: &pg::RangeVar,
    definition: Option<&pg::CreateStmt>,
    method: &str,
    keys: &[Key<'_>],
) {
    let method = if method == "rtree" { "gist" } else { method };
    let (schema, name) = relation(table);
    let table = ctx.resolved(&ObjectId::new(Class::Relation, schema, name));
    let found = keys.iter().find_map(|key| {
        let indexed = match key {
            Key::Column(column) => column_type(ctx, &table, definition, column)?,
            Key::Type(written) => known_type(ctx, written)?,
        };
        (has_default_operator_class(method, indexed.base) == Some(false)).then_some(indexed)
    });
    let Some(KnownType { base: data_type, shown }) = found else { return };
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
        format!("data type {shown} has no default operator class for access method \"{method}\""),
    );
    let message = format!("{object}: type {shown} has no default operator class for access method {method}");
    let mut draft = Draft::new(message).object(object).server(error);
    if let Some(extension) =
        providers().find(|extension| ctx.target.allows_extension(extension) && is_provided(data_type))
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

/// True where the extension of the access method has an operator class for it.
fn is_provided(indexed: IndexedType<'_>) -> bool {
    match indexed {
        IndexedType::Own(name) => !UNPROVIDED.contains(&name),
        IndexedType::Enum => true,
        IndexedType::Composite | IndexedType::Range => false,
    }
}
