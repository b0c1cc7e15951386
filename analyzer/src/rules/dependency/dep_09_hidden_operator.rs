//! DEP-09: comparisons that SQL writes without an operator, of types whose operators are not in `search_path`.

use serde_json::Value;

use super::dep_02_undeclared_object::says_it_all;
use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::names::relation;
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, StatementKind, canonical, names_of_relations, pg};
use crate::quote::quoted;
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::clauses::has_extension;

pub(crate) const RULE: Rule = Rule {
    id: "DEP-09",
    name: "hidden-operator",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::purpose("comparisons whose operators pg_dump cannot write with their schema"),
    statements: &[
        StatementKind::AlterTableStmt,
        StatementKind::CreateFunctionStmt,
        StatementKind::CreatePolicyStmt,
        StatementKind::CreateStmt,
        StatementKind::CreateTableAsStmt,
        StatementKind::CreateTrigStmt,
        StatementKind::IndexStmt,
        StatementKind::ViewStmt,
    ],
    after: &["*", "DEP-01", "DEP-02"],
    doc: Doc {
        summary: "A comparison of an extension's type whose operator is not found.",
        what: "IS DISTINCT FROM, NULLIF, CASE … WHEN, IN, = ANY, BETWEEN, JOIN … USING, NATURAL JOIN, and operators without their schema, of values of type hstore, ltree, cube, seg, geometry, geography, vector, halfvec, sparsevec and citext, while search_path does not lead to the extension.",
        why: "A dump empties search_path and writes every name with its schema. These comparisons have no place for one, so that the server looks for their operators in pg_catalog alone. For citext it finds those of text: the statement passes, and the view, CHECK or trigger tells upper from lower case from then on.",
        server: &[
            "42883 operator does not exist: public.hstore = public.hstore",
            "42725 operator is not unique: public.geometry = public.geometry",
        ],
        help: "The statement is run with the extension's schema in search_path, which is emptied behind it again: all other names have their schemas.",
        before: "SELECT pg_catalog.set_config('search_path', '', false);\nCREATE EXTENSION hstore WITH SCHEMA public;\nCREATE TABLE public.t (h public.hstore);\nCREATE VIEW public.v AS SELECT NULLIF(t.h, ''::public.hstore) AS x FROM public.t;",
        after: "",
        sources: Doc::sources(&["PostgreSQL src/backend/parser/parse_oper.c, LookupOperName; parse_expr.c"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

/// The type that the server compares as text where it does not find its operators: it has a cast that is taken by itself.
const AS_TEXT: &str = ".citext";

/// Types with operators of their own, by extension.
const TYPES: &[(&str, &str)] = &[
    ("citext", "citext"),
    ("hstore", "hstore"),
    ("ltree", "ltree"),
    ("cube", "cube"),
    ("seg", "seg"),
    ("postgis", "geometry"),
    ("postgis", "geography"),
    ("vector", "vector"),
    ("vector", "halfvec"),
    ("vector", "sparsevec"),
];

/// Operators that the server itself has for every type.
const FOR_ALL_TYPES: &[&str] = &["||"];

/// A type whose operators are hidden: `public.hstore`, and the schema.
struct Hidden {
    path: String,
    schema: String,
}

/// What a statement's columns are of.
struct Scope<'a> {
    ctx: &'a Context<'a>,
    hidden: Vec<Hidden>,
    /// The names by which columns are called, with their tables.
    tables: Vec<(String, ObjectId)>,
    /// Columns that the statement itself makes, with the paths of their types.
    own: Vec<(&'a str, String)>,
}

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    if ctx.findings.iter().any(says_it_all) {
        return;
    }
    let Some((path, schema)) = found(ctx, statement, node) else { return };
    let words = ctx.created(node).or_else(|| crate::facts::objects::subject(node));
    let words = words.map_or_else(|| "this statement".to_owned(), |object| ctx.describe(&object));
    let draft = if path.ends_with(AS_TEXT) {
        Draft::new(format!(
            "{words} compares values of type {path} as text here: upper and lower case will differ"
        ))
        .severity(Severity::Warning)
    } else {
        let error = if path.ends_with(".geometry") {
            ServerError::new("42725", format!("operator is not unique: {path} = {path}"))
        } else {
            ServerError::new("42883", format!("operator does not exist: {path} = {path}"))
        };
        Draft::new(format!(
            "{words} compares values of type {path}, whose operators search_path does not find here"
        ))
        .server(error)
    };
    let draft = draft.object(words);
    let is_empty = ctx.facts.is_dump && ctx.facts.search_path.is_empty();
    ctx.report(if is_empty {
        draft.fix(FixDraft::surround(
            format!("Let it find operators in schema {schema}"),
            vec![format!("SET search_path = pg_catalog, {};", quoted(&schema))],
            vec!["SELECT pg_catalog.set_config('search_path', '', false);".to_owned()],
        ))
    } else {
        draft.advice(format!("Put {} into search_path before it.", quoted(&schema)))
    });
}

/// The first such type that the statement compares, and its schema.
fn found(ctx: &Context<'_>, statement: &Statement<'_>, node: &NodeEnum) -> Option<(String, String)> {
    let hidden = hidden(ctx);
    if hidden.is_empty() {
        return None;
    }
    let relations = statement.references().iter().filter(|found| found.class == Class::Relation);
    let relations: Vec<ObjectId> =
        relations.map(|found| ctx.resolved(&ObjectId::of(found))).chain(subject_table(ctx, node)).collect();
    let is_hidden = |path: &str| hidden.iter().any(|of| of.path == path);
    let names_type = || {
        statement.references().iter().any(|found| {
            found.class == Class::Type
                && found.schema.as_ref().is_some_and(|schema| is_hidden(&format!("{schema}.{}", found.name)))
        })
    };
    let has_column = |id: &ObjectId| ctx.facts.columns_of(id).any(|(_, path)| is_hidden(path));
    if !relations.iter().any(has_column) && !names_type() {
        return None;
    }
    let mut tables: Vec<(String, ObjectId)> = names_of_relations(node)
        .into_iter()
        .filter_map(|(name, alias)| {
            let mut of_name = relations.iter().filter(|id| *id.name == *name);
            let first = of_name.next()?.clone();
            of_name.all(|id| *id == first).then_some((alias, first))
        })
        .collect();
    if let (NodeEnum::CreateTrigStmt(_), Some(table)) = (node, subject_table(ctx, node)) {
        tables.extend(["old", "new"].map(|name| (name.to_owned(), table.clone())));
    }
    let own = match node {
        NodeEnum::CreateStmt(s) => s.table_elts.iter().filter_map(own_column).collect(),
        _ => Vec::new(),
    };
    let scope = Scope { ctx, hidden, tables, own };
    let path = scope.compared(&canonical(node))?;
    let schema = scope.hidden.iter().find(|of| of.path == path)?.schema.clone();
    Some((path, schema))
}

/// The types whose extensions are there, in schemas that `search_path` does not have.
fn hidden(ctx: &Context<'_>) -> Vec<Hidden> {
    let of = |(extension, name): &(&str, &str)| {
        let known = ctx.facts.extensions.get(*extension)?;
        let schema = known.schema.as_deref().unwrap_or("public");
        let is_found = ctx.facts.search_path.iter().any(|own| **own == *schema);
        let is_there = !is_found && has_extension(ctx, extension);
        is_there.then(|| Hidden { path: format!("{schema}.{name}"), schema: schema.to_owned() })
    };
    TYPES.iter().filter_map(of).collect()
}

/// The table that the statement changes, or is about.
fn subject_table(ctx: &Context<'_>, node: &NodeEnum) -> Option<ObjectId> {
    let range = match node {
        NodeEnum::CreateTrigStmt(s) => s.relation.as_ref(),
        NodeEnum::CreatePolicyStmt(s) => s.table.as_ref(),
        NodeEnum::AlterTableStmt(s) => s.relation.as_ref(),
        NodeEnum::IndexStmt(s) => s.relation.as_ref(),
        _ => None,
    }?;
    let (schema, name) = relation(range);
    Some(ctx.resolved(&ObjectId::new(Class::Relation, schema, name)))
}

fn own_column(element: &pg::Node) -> Option<(&str, String)> {
    let Some(NodeEnum::ColumnDef(column)) = &element.node else { return None };
    Some((&column.colname, crate::facts::names::strings(&column.type_name.as_ref()?.names).join(".")))
}

/// The strings of a list of nodes: a qualified name.
fn strings(list: &Value) -> Vec<&str> {
    let items = list.as_array().map_or(&[][..], Vec::as_slice);
    items.iter().filter_map(|item| item.pointer("/String/sval")?.as_str()).collect()
}

impl Scope<'_> {
    /// The first hidden type that is compared in this part of the tree.
    fn compared(&self, tree: &Value) -> Option<String> {
        match tree {
            Value::Array(all) => all.iter().find_map(|part| self.compared(part)),
            Value::Object(fields) => fields.iter().find_map(|(kind, part)| {
                let here = match kind.as_str() {
                    "AExpr" => self.of_expression(part),
                    "CaseExpr" => part.get("arg").and_then(|arg| self.of(arg)),
                    "SubLink" if strings(&part["oper_name"]).len() < 2 => {
                        part.get("testexpr").and_then(|value| self.of(value))
                    }
                    "JoinExpr" if part["is_natural"] == true => self.in_two_tables(),
                    "JoinExpr" => {
                        strings(&part["using_clause"]).into_iter().find_map(|name| self.column(None, name))
                    }
                    _ => None,
                };
                here.or_else(|| self.compared(part))
            }),
            _ => None,
        }
    }

    fn of_expression(&self, part: &Value) -> Option<String> {
        use pg::AExprKind as K;
        let kind = i32::try_from(part.get("kind")?.as_i64()?).ok()?;
        let is_one = matches!(
            K::try_from(kind),
            Ok(K::AexprOp
                | K::AexprOpAny
                | K::AexprOpAll
                | K::AexprDistinct
                | K::AexprNotDistinct
                | K::AexprNullif
                | K::AexprIn
                | K::AexprBetween
                | K::AexprNotBetween)
        );
        let name = strings(&part["name"]);
        let is_bare = matches!(name.as_slice(), [name] if !FOR_ALL_TYPES.contains(name));
        if !is_one || !is_bare {
            return None;
        }
        ["lexpr", "rexpr"].into_iter().find_map(|side| self.of(part.get(side)?))
    }

    /// The hidden type that a value is of, as far as that is certain.
    fn of(&self, value: &Value) -> Option<String> {
        let (kind, part) = value.as_object()?.iter().next()?;
        match kind.as_str() {
            "TypeCast" => {
                let is_array = part
                    .pointer("/type_name/array_bounds")
                    .and_then(Value::as_array)
                    .is_some_and(|b| !b.is_empty());
                self.known(&strings(part.pointer("/type_name/names")?).join(".")).filter(|_| !is_array)
            }
            "ColumnRef" => match strings(&part["fields"]).as_slice() {
                [name] => self.column(None, name),
                [of, name] => self.column(Some(of), name),
                _ => None,
            },
            "AArrayExpr" => self.of(part.get("elements")?.get(0)?),
            "List" => self.of(part.get("items")?.get(0)?),
            "RowExpr" => part.get("args")?.as_array()?.iter().find_map(|value| self.of(value)),
            _ => None,
        }
    }

    fn known(&self, path: &str) -> Option<String> {
        self.hidden.iter().any(|of| of.path == path).then(|| path.to_owned())
    }

    /// The hidden type of a column whose name two tables have.
    fn in_two_tables(&self) -> Option<String> {
        let columns = self.tables.iter().flat_map(|(_, id)| self.ctx.facts.columns_of(id));
        let mut names: Vec<&str> = columns.map(|(name, _)| name).collect();
        names.sort_unstable();
        let twice = names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
        twice.into_iter().find_map(|name| self.column(None, name))
    }

    /// The hidden type of a column of this name.
    fn column(&self, of: Option<&str>, name: &str) -> Option<String> {
        if let Some((_, path)) = self.own.iter().find(|(own, _)| of.is_none() && *own == name) {
            return self.known(path);
        }
        let mut tables = self.tables.iter().filter(|(alias, _)| of.is_none_or(|of| of == alias));
        tables.find_map(|(_, id)| {
            let (_, path) = self.ctx.facts.columns_of(id).find(|(own, _)| *own == name)?;
            self.known(path)
        })
    }
}
