//! DATA-15: indexes and exclusion constraints on columns whose type has no default operator class for the access method.

use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::names::{qualified, quoted, relation, shown_type, string, strings};
use crate::facts::objects::created;
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::clauses::has_extension;
use crate::rules::known_type::{KnownType, column_type, expression_type, known_type};
use crate::target::{
    IndexedType, NamedClass, has_default_operator_class, has_known_classes, is_builtin_operator,
    is_builtin_operator_class, members, named_operator_class,
};

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
        summary: "An index on a type for which its access method has no operator class.",
        what: "CREATE INDEX, EXCLUDE, UNIQUE, PRIMARY KEY and PARTITION BY on a column, or an expression whose type is plain, of \
               one of PostgreSQL's own types and their arrays, of a common extension's, or of an enum, a composite type, a \
               range or a domain of the files, where neither PostgreSQL nor an extension that \
               the files create has an operator class for it: mostly btree_gist or btree_gin that is missing. An operator class \
               that is named and is another access method's or another type's; an operator of EXCLUDE that the type does not \
               have.",
        why: "Without an operator class in the statement the server takes the default one for the type, and refuses where there \
              is none.",
        server: &[
            "42704 data type integer has no default operator class for access method \"gist\"",
            "42704 operator class \"int4_ops\" does not exist for access method \"gin\"",
            "42804 operator class \"text_pattern_ops\" does not accept data type integer",
            "42883 operator does not exist: point = point",
        ],
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

/// What an index holds: a column, a type or an expression, and the operator class that is named for it.
#[derive(Clone, Copy)]
struct Key<'a> {
    of: Indexed<'a>,
    operator_class: &'a [pg::Node],
    /// The operator of an exclusion constraint.
    operator: Option<&'a str>,
}

#[derive(Clone, Copy)]
enum Indexed<'a> {
    Column(&'a str),
    Type(&'a pg::TypeName),
    Expression(&'a pg::Node),
}

impl<'a> Key<'a> {
    fn new(of: Indexed<'a>) -> Self {
        Self { of, operator_class: &[], operator: None }
    }

    fn of_element(column: &'a str, expression: Option<&'a pg::Node>, operator_class: &'a [pg::Node]) -> Self {
        let of = expression.map_or(Indexed::Column(column), Indexed::Expression);
        Self { of, operator_class, operator: None }
    }

    fn of_index(element: &'a pg::Node) -> Option<Self> {
        let Some(NodeEnum::IndexElem(one)) = &element.node else { return None };
        Some(Self::of_element(&one.name, one.expr.as_deref(), &one.opclass))
    }

    fn of_partitions(element: &'a pg::Node) -> Option<Self> {
        let Some(NodeEnum::PartitionElem(one)) = &element.node else { return None };
        Some(Self::of_element(&one.name, one.expr.as_deref(), &one.opclass))
    }

    /// Of an exclusion constraint: an element with its operator.
    fn of_exclusion(pair: &'a pg::Node) -> Option<Self> {
        let Some(NodeEnum::List(pair)) = &pair.node else { return None };
        let key = Self::of_index(pair.items.first()?)?;
        let operator = match pair.items.get(1).and_then(|operator| operator.node.as_ref()) {
            Some(NodeEnum::List(name)) => match strings(&name.items).as_slice() {
                [name] | ["pg_catalog", name] => Some(*name),
                _ => None,
            },
            _ => None,
        };
        Some(Self { operator, ..key })
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
    let columns =
        || constraint.keys.iter().filter_map(string).map(|column| Key::new(Indexed::Column(column)));
    let (method, keys): (&str, Vec<Key<'_>>) = match C::try_from(constraint.contype) {
        Ok(C::ConstrPrimary | C::ConstrUnique) if constraint.without_overlaps && ctx.target.version >= 18 => {
            // It is an exclusion by gist: all columns but the last are compared by equality.
            ("gist", columns().take(constraint.keys.len().saturating_sub(1)).collect())
        }
        Ok(C::ConstrPrimary | C::ConstrUnique) => {
            let own = column.and_then(|column| column.type_name.as_ref());
            let own = own.map(|written| Key::new(Indexed::Type(written)));
            ("btree", columns().chain(own).collect())
        }
        Ok(C::ConstrExclusion) => {
            let keys = constraint.exclusions.iter().filter_map(Key::of_exclusion);
            let method = &*constraint.access_method;
            (if method.is_empty() { "gist" } else { method }, keys.collect())
        }
        _ => return,
    };
    look(ctx, table, definition, method, &keys);
}

/// Reports the first key that the access method refuses.
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
    let node = ctx.node().map(|(_, node)| node);
    let object =
        node.and_then(created).map_or_else(|| format!("table {}", table.path()), |o| ctx.describe(&o));
    let added = |extension: &str| ctx.states.get::<Added>().is_some_and(|added| added.0.contains(&extension));
    let mut found = None;
    for key in keys {
        let known = match key.of {
            Indexed::Column(column) => column_type(ctx, &table, definition, column),
            Indexed::Type(written) => known_type(ctx, written),
            Indexed::Expression(expression) => expression_type(ctx, &table, definition, expression),
        };
        if let Some((schema, class)) = qualified(key.operator_class) {
            let refusal = |has: &dyn Fn(&str) -> bool| {
                named_class(ctx, NamedKey { method, schema, class }, known.as_ref(), has)
            };
            if let Some(error) = refusal(&|extension| has_extension(ctx, extension) && !added(extension)) {
                let is_mended = refusal(&|extension| has_extension(ctx, extension)).is_none();
                let mut draft = Draft::new(format!("{object}: {}", error.text)).object(object).server(error);
                if is_mended {
                    let title = "Use the extension that is created before it";
                    draft = draft.fix(FixDraft::surround(title, Vec::new(), Vec::new()));
                }
                ctx.report(draft);
                return;
            }
            continue;
        }
        let Some(known) = known else { continue };
        let has = |extension: &str| has_extension(ctx, extension) && !added(extension);
        if has_default_operator_class(method, known.base, has) == Some(false) {
            found = Some(known);
            break;
        }
        if let Some(error) = key.operator.and_then(|operator| no_operator(ctx, operator, &known)) {
            let message = format!("{object}: {}", error.text);
            ctx.report(Draft::new(message).object(object).server(error));
            return;
        }
    }
    let Some(KnownType { base: data_type, shown }) = found else { return };
    let there: Vec<&'static str> =
        PROVIDERS.iter().map(|(_, extension)| *extension).filter(|name| has_extension(ctx, name)).collect();
    let has = |extension: &str| there.contains(&extension);
    let providers = || PROVIDERS.iter().filter(|(of, _)| *of == method).map(|(_, extension)| *extension);
    let error = ServerError::new(
        "42704",
        format!("data type {shown} has no default operator class for access method \"{method}\""),
    );
    let message = format!("{object}: type {shown} has no default operator class for access method {method}");
    let mut draft = Draft::new(message).object(object).server(error);
    if let Some(extension) = providers().find(|extension| {
        ctx.target.allows_extension(extension)
            && has_default_operator_class(method, data_type, |name| name == *extension) == Some(true)
    }) {
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

/// An operator class that is named for an access method.
struct NamedKey<'a> {
    method: &'a str,
    schema: Option<&'a str>,
    class: &'a str,
}

/// Why the server refuses an operator class that is named. `has` says which extensions are there.
fn named_class(
    ctx: &Context<'_>,
    NamedKey { method, schema, class }: NamedKey<'_>,
    known: Option<&KnownType<'_>>,
    has: &dyn Fn(&str) -> bool,
) -> Option<ServerError> {
    let is_own = schema.is_none_or(|schema| schema == "pg_catalog");
    // What the files create, or an extension whose classes are not known.
    let may_be_others = schema != Some("pg_catalog")
        && (!ctx.facts.schemas_with(Class::OperatorClass, class).is_empty()
            || ctx.facts.extensions.keys().any(|extension| {
                !has_known_classes(extension)
                    && members(extension).is_none_or(|of| {
                        of.has(Class::OperatorClass, class) || of.overloads(Class::OperatorClass, class)
                    })
            }));
    if may_be_others {
        return None;
    }
    let is_looked_at = |provider: Option<&str>| match provider {
        None => is_own,
        Some(extension) => schema != Some("pg_catalog") && has(extension) && is_seen(ctx, extension, schema),
    };
    let found = named_operator_class(method, class, known.map(|known| known.base), is_looked_at);
    let path = schema.map_or_else(|| class.to_owned(), |schema| format!("{schema}.{class}"));
    let missing = || format!("operator class \"{path}\" does not exist for access method \"{method}\"");
    match (found, known) {
        (NamedClass::OtherType, Some(known)) => Some(ServerError::new(
            "42804",
            format!("operator class \"{path}\" does not accept data type {}", known.shown),
        )),
        (NamedClass::OtherMethod, _) => Some(ServerError::new("42704", missing())),
        (NamedClass::Unknown, _) if schema == Some("pg_catalog") && !is_builtin_operator_class(class) => {
            Some(ServerError::new("42704", missing()))
        }
        _ => None,
    }
}

/// True where a name with this schema, or without one, may be the extension's. What another schema lacks is DEP-02's.
fn is_seen(ctx: &Context<'_>, extension: &str, schema: Option<&str>) -> bool {
    let of_files = ctx.facts.extensions.get(extension).map(|known| known.schema.as_deref());
    let put = of_files.unwrap_or_else(|| ctx.target.installed_in(extension));
    schema.is_some() || put.is_none_or(|put| ctx.facts.search_path.iter().any(|seen| &**seen == put))
}

/// Types that no cast makes another of by itself, so that an operator is theirs or is not there.
const ALONE: [&str; 12] =
    ["json", "jsonb", "xml", "point", "box", "circle", "polygon", "path", "line", "lseg", "uuid", "bool"];

/// An operator that no server has for the type of an exclusion constraint's key.
fn no_operator(ctx: &Context<'_>, operator: &str, known: &KnownType<'_>) -> Option<ServerError> {
    let IndexedType::Own(name) = known.base else { return None };
    let is_there = !ALONE.contains(&name)
        || shown_type(name) != known.shown
        || is_builtin_operator(operator, name, name)
        || !ctx.facts.schemas_with(Class::Operator, operator).is_empty();
    (!is_there).then(|| {
        let shown = &known.shown;
        ServerError::new("42883", format!("operator does not exist: {shown} {operator} {shown}"))
    })
}
