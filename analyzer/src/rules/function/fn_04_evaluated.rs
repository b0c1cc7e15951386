//! FN-04: functions that run while rows arrive or indexes are built, and do not find what they need there.

use std::collections::{BTreeMap, BTreeSet};

use super::bodies::body;
use super::needed::{Function, has_path, look};
use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::names::{qualified, quoted, quoted_path, relation};
use crate::facts::objects::created;
use crate::finding::{Place, Severity};
use crate::parse::{Class, NodeEnum, Reference, StatementKind, pg, references};
use crate::rule::{Answers, Context, Doc, Draft, Finish, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::dependency::missing::{error_for, words};

pub(crate) const RULE: Rule = Rule {
    id: "FN-04",
    name: "evaluated-function",
    severity: Severity::Error,
    fix: Safety::None,
    is_a_risk: true,
    answers: Answers::purpose("functions that run while rows arrive"),
    statements: &[
        StatementKind::CreateFunctionStmt,
        StatementKind::CreateStmt,
        StatementKind::CreateDomainStmt,
        StatementKind::IndexStmt,
        StatementKind::CopyStmt,
        StatementKind::CreateTableAsStmt,
        StatementKind::CreatePolicyStmt,
        StatementKind::RefreshMatViewStmt,
        StatementKind::AlterTableStmt,
    ],
    after: &["*"],
    doc: Doc {
        summary: "A generated column, CHECK, domain, index or materialized view calls a function that needs a search_path, or other tables.",
        what: "The body of a function in SQL or PL/pgSQL, or of one that it calls, names a function, operator, type or table \
               without a schema and sets no search_path; or it reads a table.",
        why: "Dumps are restored with an empty search_path, and PostgreSQL 17 and newer build indexes and fill materialized views with their own: such \
              names are not found. Rows of other tables may not have arrived when a value is computed or checked.",
        server: &[
            "42883 function unaccent(text) does not exist",
            "42P01 relation \"zones\" does not exist",
            "23514 new row for relation \"orders\" violates check constraint \"orders_zone_check\"",
        ],
        help: "On the source, give the function its path: ALTER FUNCTION app.slug SET search_path = app, public, pg_temp. A CHECK \
               that reads another table can be made one of new rows only (NOT VALID): dumps add it behind the rows. A migration \
               stops before it begins; --accept FN-04 where the function finds what it needs all the same.",
        before: "SELECT pg_catalog.set_config('search_path', '', false);\n\
                 CREATE FUNCTION app.slug(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN own_lower(t); END $$;\n\
                 CREATE TABLE app.art (name text, s text GENERATED ALWAYS AS (app.slug(name)) STORED);",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL 17 release notes: maintenance operations use a safe search_path",
            "pg_dump.c: set_config('search_path', '', false)",
            "seen on 15.18 and 17.12",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    finish: Some(finish),
    ..Rule::DEFAULT
};

/// What is known of the functions of a dump, and of the expressions that call them.
#[derive(Clone, Debug, Default)]
struct Evaluated {
    /// Without what it needs, where that is nothing.
    functions: BTreeMap<ObjectId, Option<Box<Function>>>,
    /// Functions that checks of domains call.
    domains: BTreeMap<ObjectId, Vec<ObjectId>>,
    uses: Vec<Use>,
    /// Materialized views that the dump fills, and where.
    refreshed: BTreeMap<ObjectId, Place>,
    /// What the policies of a table call, and tables whose owners they bind too.
    policies: BTreeMap<ObjectId, Vec<ObjectId>>,
    forced: BTreeSet<ObjectId>,
    /// Tables whose rows were judged at their COPY.
    copied: BTreeSet<ObjectId>,
    /// Those of them whose rows are refused.
    refused: BTreeSet<ObjectId>,
}

/// An expression that is evaluated while rows arrive, or when an index is built.
#[derive(Clone, Debug)]
struct Use {
    table: ObjectId,
    /// `generated column s of table app.art`.
    what: String,
    kind: Kind,
    functions: Vec<ObjectId>,
    /// Names without a schema are not found there.
    is_bare: bool,
    place: Place,
}

/// What an expression is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Generated,
    /// A CHECK of a table, by its name, or of a domain.
    Check(Option<String>),
    Index,
    /// A materialized view, by the tables that it reads.
    View(Vec<ObjectId>),
}

/// What is wrong with a function, whichever one it calls says so.
#[derive(Clone, Debug)]
enum Trouble {
    Unqualified { function: ObjectId, reference: Reference, conditional: bool },
    Reads { function: ObjectId, table: ObjectId },
}

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    match node {
        NodeEnum::CreateFunctionStmt(_) => function(ctx, node),
        NodeEnum::CreateDomainStmt(s) => domain(ctx, s),
        NodeEnum::CreateStmt(s) => table(ctx, s),
        NodeEnum::IndexStmt(s) => index(ctx, s),
        NodeEnum::CopyStmt(s) if s.is_from => copy(ctx, s),
        NodeEnum::CreateTableAsStmt(s) if s.objtype == pg::ObjectType::ObjectMatview as i32 => view(ctx, s),
        NodeEnum::RefreshMatViewStmt(s) => refresh(ctx, s),
        NodeEnum::CreatePolicyStmt(s) => policy(ctx, s),
        NodeEnum::AlterTableStmt(s) => forced(ctx, s),
        _ => {}
    }
}

fn function(ctx: &mut Context<'_>, node: &NodeEnum) {
    let Some(object) = created(node) else { return };
    let parts = body(ctx);
    let own: BTreeSet<_> =
        parts.iter().filter_map(|part| created(part.parsed().node())).map(|object| object.id.name).collect();
    let mut found = Function { has_path: has_path(node), ..Function::default() };
    for part in parts.iter() {
        for reference in part.parsed().references() {
            look(&mut found, reference, part.conditional, &own);
        }
    }
    let id = ctx.resolved(&object.id);
    let all = &mut ctx.states.of::<Evaluated>().functions;
    if let Some(known) = all.get_mut(&id) {
        let Some(other) = known else { return };
        found.unqualified = other.unqualified.take().filter(|_| found.unqualified.is_some());
        found.reads = other.reads.take().filter(|_| found.reads.is_some());
        found.calls.retain(|call| other.calls.contains(call));
        found.has_path |= other.has_path;
    }
    let needs = found.unqualified.is_some() || found.reads.is_some() || !found.calls.is_empty();
    all.insert(id, needs.then(|| Box::new(found)));
}

/// The functions of the dump that an expression calls: they exist before it.
fn called(ctx: &Context<'_>, expression: Option<&pg::Node>) -> Vec<ObjectId> {
    let Some(known) = ctx.states.get::<Evaluated>() else { return Vec::new() };
    let mut all = named(ctx, expression, Class::Function);
    all.retain(|id| known.functions.contains_key(id));
    all.shrink_to_fit();
    all
}

fn named(ctx: &Context<'_>, expression: Option<&pg::Node>, class: Class) -> Vec<ObjectId> {
    let node = expression.and_then(|expression| expression.node.as_ref());
    let found = node.map(references).into_iter().flatten().filter(|reference| reference.class == class);
    once(
        found
            .map(|found| ctx.resolved(&ObjectId::new(class, found.schema.as_deref(), &found.name)))
            .collect(),
    )
}

/// Each once, in their order. Most lists have one: a set takes ten times the memory.
fn once(mut all: Vec<ObjectId>) -> Vec<ObjectId> {
    all.sort();
    all.dedup();
    all.shrink_to_fit();
    all
}

fn domain(ctx: &mut Context<'_>, s: &pg::CreateDomainStmt) {
    let Some((schema, name)) = qualified(&s.domainname) else { return };
    let id = ctx.resolved(&ObjectId::new(Class::Type, schema, name));
    let functions =
        constraints(&s.constraints).flat_map(|constraint| called(ctx, constraint.raw_expr.as_deref()));
    let functions = once(functions.collect());
    if !functions.is_empty() {
        ctx.states.of::<Evaluated>().domains.insert(id, functions);
    }
}

fn constraints(nodes: &[pg::Node]) -> impl Iterator<Item = &pg::Constraint> {
    nodes.iter().filter_map(|node| match &node.node {
        Some(NodeEnum::Constraint(constraint)) => Some(&**constraint),
        _ => None,
    })
}

fn table(ctx: &mut Context<'_>, s: &pg::CreateStmt) {
    use pg::ConstrType as C;
    let Some((statement, _)) = ctx.node() else { return };
    let Some(range) = s.relation.as_ref() else { return };
    let (schema, name) = relation(range);
    let table = ctx.resolved(&ObjectId::new(Class::Relation, schema, name));
    let place = statement.place(&statement.body());
    let path = quoted_path(schema, name);
    let mut uses = Vec::new();
    let is_bare = ctx.facts.search_path.is_empty();
    let mut add = |what: String, kind: Kind, functions: Vec<ObjectId>| {
        if !functions.is_empty() {
            uses.push(Use { table: table.clone(), what, kind, functions, is_bare, place });
        }
    };
    let is_check = |constraint: &pg::Constraint| {
        constraint.contype == C::ConstrCheck as i32 && !constraint.skip_validation
    };
    let name_of =
        |constraint: &pg::Constraint| (!constraint.conname.is_empty()).then(|| constraint.conname.clone());
    for element in &s.table_elts {
        match &element.node {
            Some(NodeEnum::ColumnDef(column)) => {
                for constraint in constraints(&column.constraints) {
                    let functions = called(ctx, constraint.raw_expr.as_deref());
                    if constraint.contype == C::ConstrGenerated as i32 && constraint.generated_kind != "v" {
                        add(
                            format!("generated column {} of table {path}", quoted(&column.colname)),
                            Kind::Generated,
                            functions,
                        );
                    } else if is_check(constraint) {
                        add(
                            format!("the CHECK of column {} of table {path}", quoted(&column.colname)),
                            Kind::Check(name_of(constraint)),
                            functions,
                        );
                    }
                }
                let of_domain = column.type_name.as_ref().and_then(|of| {
                    let (schema, name) = qualified(&of.names)?;
                    let id = ctx.resolved(&ObjectId::new(Class::Type, schema, name));
                    ctx.states.get::<Evaluated>()?.domains.get(&id).cloned()
                });
                if let Some(functions) = of_domain {
                    add(
                        format!("the domain of column {} of table {path}", quoted(&column.colname)),
                        Kind::Check(None),
                        functions,
                    );
                }
            }
            Some(NodeEnum::Constraint(constraint)) if is_check(constraint) => {
                let what = if constraint.conname.is_empty() {
                    format!("a CHECK of table {path}")
                } else {
                    format!("CHECK {} of table {path}", quoted(&constraint.conname))
                };
                add(what, Kind::Check(name_of(constraint)), called(ctx, constraint.raw_expr.as_deref()));
            }
            _ => {}
        }
    }
    ctx.states.of::<Evaluated>().uses.extend(uses);
}

fn index(ctx: &mut Context<'_>, s: &pg::IndexStmt) {
    let Some((statement, _)) = ctx.node() else { return };
    let Some(range) = s.relation.as_ref() else { return };
    let (schema, name) = relation(range);
    let mut functions = called(ctx, s.where_clause.as_deref());
    for parameter in s.index_params.iter().chain(&s.index_including_params) {
        if let Some(NodeEnum::IndexElem(element)) = &parameter.node {
            functions.extend(called(ctx, element.expr.as_deref()));
        }
    }
    let functions = once(functions);
    if functions.is_empty() {
        return;
    }
    let found = Use {
        table: ctx.resolved(&ObjectId::new(Class::Relation, schema, name)),
        what: format!("index {} of table {}", quoted(&s.idxname), quoted_path(schema, name)),
        kind: Kind::Index,
        functions,
        // From 17 on indexes are built with a path of the server's own.
        is_bare: ctx.facts.search_path.is_empty() || ctx.target.version >= 17,
        place: statement.place(&statement.body()),
    };
    ctx.states.of::<Evaluated>().uses.push(found);
}

/// A materialized view is filled at the end, from 17 on with a path of the server's own.
fn view(ctx: &mut Context<'_>, s: &pg::CreateTableAsStmt) {
    let Some((statement, _)) = ctx.node() else { return };
    let Some(range) = s.into.as_ref().and_then(|into| into.rel.as_ref()) else { return };
    let functions = called(ctx, s.query.as_deref());
    let (schema, name) = relation(range);
    let found = Use {
        table: ctx.resolved(&ObjectId::new(Class::Relation, schema, name)),
        what: format!("materialized view {}", quoted_path(schema, name)),
        kind: Kind::View(named(ctx, s.query.as_deref(), Class::Relation)),
        functions,
        is_bare: ctx.facts.search_path.is_empty() || ctx.target.version >= 17,
        place: statement.place(&statement.body()),
    };
    ctx.states.of::<Evaluated>().uses.push(found);
}

fn id(ctx: &Context<'_>, range: &pg::RangeVar) -> ObjectId {
    let (schema, name) = relation(range);
    ctx.resolved(&ObjectId::new(Class::Relation, schema, name))
}

fn refresh(ctx: &mut Context<'_>, s: &pg::RefreshMatViewStmt) {
    let Some((statement, _)) = ctx.node() else { return };
    let Some(range) = s.relation.as_ref().filter(|_| !s.skip_data) else { return };
    let view = id(ctx, range);
    let place = statement.place(&statement.body());
    ctx.states.of::<Evaluated>().refreshed.insert(view, place);
}

/// A policy is called when rows are read: a session has the path that it had on the source, a materialized view has none.
fn policy(ctx: &mut Context<'_>, s: &pg::CreatePolicyStmt) {
    let functions = called(ctx, s.qual.as_deref());
    let Some(range) = s.table.as_ref().filter(|_| !functions.is_empty()) else { return };
    let table = id(ctx, range);
    let all = ctx.states.of::<Evaluated>().policies.entry(table).or_default();
    *all = once(all.drain(..).chain(functions).collect());
}

fn forced(ctx: &mut Context<'_>, s: &pg::AlterTableStmt) {
    let forces = |command: &pg::Node| matches!(&command.node, Some(NodeEnum::AlterTableCmd(c)) if c.subtype == pg::AlterTableType::AtForceRowSecurity as i32);
    let Some(range) = s.relation.as_ref().filter(|_| s.cmds.iter().any(forces)) else { return };
    let table = id(ctx, range);
    ctx.states.of::<Evaluated>().forced.insert(table);
}

/// Rows in the dump itself: they are refused where they stand.
fn copy(ctx: &mut Context<'_>, s: &pg::CopyStmt) {
    let Some(range) = s.relation.as_ref() else { return };
    let table = id(ctx, range);
    let bare = ctx.facts.search_path.is_empty();
    let Some(state) = ctx.states.get::<Evaluated>() else { return };
    let found: Vec<_> = state
        .uses
        .iter()
        .filter(|found| found.table == table && found.kind != Kind::Index)
        .filter_map(|found| Some((Use { is_bare: bare, ..found.clone() }, state.trouble(found)?)))
        // What it reads has arrived.
        .filter(|(_, trouble)| !matches!(trouble, Trouble::Reads { table, .. } if ctx.facts.filled.contains(&ctx.resolved(table))))
        .collect();
    let fails =
        |(_, trouble): &(Use, Trouble)| matches!(trouble, Trouble::Unqualified { conditional: false, .. });
    if found.iter().any(fails) {
        ctx.states.of::<Evaluated>().refused.insert(table.clone());
    }
    ctx.states.of::<Evaluated>().copied.insert(table);
    for (found, trouble) in found {
        let is_guess = matches!(trouble, Trouble::Reads { .. });
        if let Some(draft) = found.draft(&trouble, is_guess) {
            ctx.report(draft.needs_rows());
        }
    }
}

fn finish(all: &mut Finish<'_>) {
    let Some(state) = all.states.get::<Evaluated>() else { return };
    for found in &state.uses {
        if found.kind != Kind::Index && state.copied.contains(&found.table) {
            continue;
        }
        let Some(trouble) = state.trouble(found) else { continue };
        let reads = matches!(trouble, Trouble::Reads { .. });
        let place = match found.kind {
            // An index of a dump is built when all rows have arrived, and a view is filled then.
            Kind::Index if reads && !all.options.catalogs_follow => None,
            Kind::View(_) => state.refreshed.get(&found.table).filter(|_| !reads).copied(),
            _ => Some(found.place),
        };
        // A migration asks the source for rows.
        let has_rows = |table: &ObjectId| all.facts.filled.contains(table) && !state.refused.contains(table);
        let is_guess = match &found.kind {
            Kind::View(tables) => all.options.catalogs_follow || !tables.iter().any(has_rows),
            Kind::Index => !all.options.catalogs_follow && !has_rows(&found.table),
            _ => !all.options.catalogs_follow,
        };
        let draft = found.draft(&trouble, is_guess);
        if let (Some(place), Some(draft)) = (place, draft) {
            all.report(place, draft);
        }
    }
}

impl Evaluated {
    /// What is wrong with the functions of an expression: a name that is not found before a table that is read.
    fn trouble(&self, found: &Use) -> Option<Trouble> {
        let mut reads = None;
        let bound = match &found.kind {
            Kind::View(tables) => {
                let forced = tables.iter().filter(|table| self.forced.contains(table));
                forced.filter_map(|table| self.policies.get(table)).collect()
            }
            _ => Vec::new(),
        };
        for function in found.functions.iter().chain(bound.into_iter().flatten()) {
            match self.of_function(function, !found.is_bare, &mut BTreeSet::new()) {
                Some(unqualified @ Trouble::Unqualified { .. }) => return Some(unqualified),
                Some(trouble) => drop(reads.get_or_insert(trouble)),
                None => {}
            }
        }
        reads
    }

    fn of_function(&self, id: &ObjectId, has_path: bool, seen: &mut BTreeSet<ObjectId>) -> Option<Trouble> {
        let function = self.functions.get(id)?.as_ref().filter(|_| seen.insert(id.clone()))?;
        let has_path = has_path || function.has_path;
        if let Some((reference, conditional)) = function.unqualified.as_ref().filter(|_| !has_path) {
            let (reference, conditional) = (reference.clone(), *conditional);
            return Some(Trouble::Unqualified { function: id.clone(), reference, conditional });
        }
        let inner = function.calls.iter().find_map(|call| self.of_function(call, has_path, seen));
        inner.or_else(|| Some(Trouble::Reads { function: id.clone(), table: function.reads.clone()? }))
    }
}

impl Use {
    /// The finding, a warning where it is not known to come true.
    fn draft(&self, trouble: &Trouble, is_guess: bool) -> Option<Draft> {
        let Self { what, table, kind, .. } = self;
        let path = quoted_path(table.schema.as_deref(), &table.name);
        let draft = match trouble {
            Trouble::Unqualified { function, reference, conditional } => {
                let of = quoted_path(function.schema.as_deref(), &function.name);
                let own = function.schema.as_deref().filter(|schema| *schema != "public");
                let schemas = own.map(|schema| format!("{}, ", quoted(schema))).unwrap_or_default();
                let fails = match (kind, conditional) {
                    (Kind::Index, false) => "cannot be built",
                    (Kind::Index, true) => "may not be built",
                    (Kind::View(_), false) => "stays empty",
                    (Kind::View(_), true) => "may stay empty",
                    (_, false) => "refuses rows",
                    (_, true) => "may refuse rows",
                };
                let draft = Draft::new(format!(
                    "{what} {fails}: function {of} needs {} and names no schema",
                    words(reference)
                ))
                .server(error_for(reference))
                .advice(format!(
                    "On the source, name all schemas that the function needs: ALTER FUNCTION {of} SET search_path = {schemas}public, pg_temp;"
                ));
                if *conditional || is_guess { draft.severity(Severity::Warning) } else { draft }
            }
            Trouble::Reads { function, table: read } => {
                let of = quoted_path(function.schema.as_deref(), &function.name);
                let read = quoted_path(read.schema.as_deref(), &read.name);
                let draft = match kind {
                    Kind::Check(name) => {
                        let name = name.as_deref().map_or_else(|| "…".to_owned(), quoted);
                        Draft::new(format!("{what} may refuse rows: function {of} reads {read}, whose rows may not have arrived"))
                            .advice(format!(
                                "On the source, make it a check of new rows, which a dump adds behind the rows: ALTER TABLE {path} DROP \
                                 CONSTRAINT {name}, ADD CONSTRAINT {name} CHECK (…) NOT VALID; (a domain's in the same way)"
                            ))
                    }
                    _ => Draft::new(format!(
                        "{what} may get other values: function {of} reads {read}, whose rows may not have arrived"
                    ))
                    .advice("Let the function read no table, or compute these values again when all rows are loaded."),
                };
                if is_guess { draft.severity(Severity::Warning) } else { draft }
            }
        };
        (self.is_bare || matches!(trouble, Trouble::Reads { .. }))
            .then(|| draft.object(format!("table {path}")))
    }
}
