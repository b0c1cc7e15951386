//! DATA-13: types that are gone.

use std::ops::Range;

use serde_json::Value;

use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::objects::{created, subject};
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Change, Class, NodeEnum, Reference, StatementKind, canonical, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::clauses::paths;
use crate::rules::superuser::su_01_c_function::language;
use crate::rules::superuser::su_10_builtin_cast::PSEUDO_TYPES;

/// A type that is gone.
#[derive(Clone, Copy)]
struct Gone {
    name: &'static str,
    since: u32,
    instead: Option<&'static str>,
}

const fn gone(name: &'static str, since: u32, instead: Option<&'static str>) -> Gone {
    Gone { name, since, instead }
}

/// Types with the version that no longer has them, and what takes their place.
const GONE: [Gone; 6] = [
    gone("abstime", 12, Some("timestamptz")),
    gone("reltime", 12, Some("interval")),
    gone("tinterval", 12, None),
    gone("smgr", 14, None),
    gone("opaque", 13, None),
    // Still there, but no column can be of it since 10.
    gone("unknown", 10, Some("text")),
];

pub(crate) const RULE: Rule = Rule {
    id: "DATA-13",
    name: "removed-type",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("removed-types", "abstime and its like, from dumps of servers before 12."),
    statements: StatementKind::ALL,
    doc: Doc {
        summary: "A type that PostgreSQL no longer has: abstime, reltime, tinterval, opaque, smgr, or a column of a pseudo-type.",
        what: "Columns, arguments, results and casts of these types in a dump of a server up to 13, which the dump \
               does not create itself; columns of pseudo-types such as unknown, anyelement and record.",
        why: "abstime, reltime and tinterval went with 12, opaque with 13, smgr with 14. Since 10 no column can be of \
              the pseudo-type unknown.",
        server: &["42704 type \"abstime\" does not exist", "42P16 column \"a\" has pseudo-type unknown"],
        help: "A trigger function in PL/pgSQL that returns opaque returns trigger, and a column of type unknown \
               becomes text: both without asking. timestamptz takes the place of abstime and interval that of reltime \
               with --accept DATA-13: look at the rows, an abstime may be 'invalid'.",
        before: "CREATE FUNCTION public.stamp() RETURNS opaque LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;",
        after: "CREATE FUNCTION public.stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;",
        sources: Doc::sources(&["PostgreSQL release notes 10, 12, 13 and 14"]),
        link: "https://www.postgresql.org/docs/release/12.0/",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    // A function in C is refused for its language first.
    if let NodeEnum::CreateFunctionStmt(s) = node
        && language(&s.options).is_some_and(|name| matches!(&*name.to_ascii_lowercase(), "c" | "internal"))
    {
        return;
    }
    let is_gone = |reference: &Reference, name: &str| {
        if reference.class != Class::Type
            || &*reference.name != name
            || reference.schema.as_deref().is_some_and(|schema| schema != "pg_catalog")
        {
            return false;
        }
        let own = ctx.resolved(&ObjectId::new(Class::Type, reference.schema.as_deref(), name));
        !ctx.facts.declares(&own) && !ctx.facts.declares(&ObjectId { class: Class::Relation, ..own })
    };
    let pseudo = PSEUDO_TYPES.iter().filter(|name| **name != "unknown").map(|name| gone(name, 0, None));
    let all = GONE.iter().copied().chain(pseudo);
    let found = all.filter(|gone| statement.references().iter().any(|r| is_gone(r, gone.name)));
    let mut uses: Vec<Use> = found.filter_map(|gone| use_of(gone, statement, node)).collect();
    uses.sort_by_key(|one| one.ranges.first().map_or(0, |range| range.start));
    let Some(first) = uses.first() else { return };
    let object = created(node).or_else(|| subject(node));
    let words = object.map_or_else(|| "this statement".to_owned(), |object| ctx.describe(&object));
    let Gone { name, since, .. } = first.gone;
    let message = if since == 0 {
        format!("{words} has a column of type {name}, which no server takes")
    } else if name == "unknown" {
        format!("{words} has a column of type unknown, which no server since {since} takes")
    } else {
        format!("{words} needs type {name}, which is gone since PostgreSQL {since}")
    };
    let mut draft = Draft::new(message).object(words).server(first.error.clone());
    if let Some(range) = first.ranges.first() {
        draft = draft.at(range.clone());
    }
    if let Some(fix) = replaced(&canonical(node), &uses) {
        draft = draft.fix(fix);
    }
    ctx.report(draft);
}

/// A type that is gone, as a statement uses it.
struct Use {
    gone: Gone,
    error: ServerError,
    instead: Option<&'static str>,
    safe: bool,
    ranges: Vec<Range<usize>>,
}

fn use_of(gone: Gone, statement: &Statement<'_>, node: &NodeEnum) -> Option<Use> {
    let missing = || ServerError::new("42704", format!("type \"{}\" does not exist", gone.name));
    let (error, instead, safe) = match (gone.name, node) {
        (name, _) if PSEUDO_TYPES.contains(&name) => {
            let column = column_of(node, name)?;
            let error = ServerError::new("42P16", format!("column \"{column}\" has pseudo-type {name}"));
            (error, gone.instead, true)
        }
        ("opaque", NodeEnum::CreateFunctionStmt(s)) => {
            let in_plpgsql = language(&s.options).is_some_and(|name| name.eq_ignore_ascii_case("plpgsql"));
            (missing(), (in_plpgsql && s.parameters.is_empty()).then_some("trigger"), true)
        }
        _ => (missing(), gone.instead, false),
    };
    let ranges = statement
        .code()
        .filter(|token| token.identifier(statement.sql()).as_deref() == Some(gone.name))
        .map(Statement::token_range)
        .collect();
    Some(Use { gone, error, instead, safe, ranges })
}

/// The statement with other types, where there is one for each.
fn replaced(tree: &Value, uses: &[Use]) -> Option<FixDraft> {
    let title = |one: &Use| Some(format!("{} in the place of {}", one.instead?, one.gone.name));
    let titles: Vec<String> = uses.iter().map(title).collect::<Option<_>>()?;
    let mut fix = FixDraft::edit(format!("Use {}", titles.join(", ")));
    for one in uses {
        let instead = one.instead?;
        let is_it = |value: &Value| value.get("sval").and_then(Value::as_str) == Some(one.gone.name);
        let places = paths(tree, &is_it);
        if one.ranges.is_empty() || places.len() != one.ranges.len() {
            return None;
        }
        for range in &one.ranges {
            // Without quotes some are words of the grammar, with names of their own in the tree.
            fix = fix.replace(range.clone(), if instead == "interval" { "\"interval\"" } else { instead });
        }
        for place in places {
            fix = fix.change(Change::set_str(format!("{place}/sval"), instead));
        }
    }
    Some(if uses.iter().all(|one| one.safe) { fix } else { fix.review() })
}

/// The first column of this type that the statement makes.
fn column_of<'a>(node: &'a NodeEnum, name: &str) -> Option<&'a str> {
    let is_it = |element: &'a pg::Node| match element.node.as_ref()? {
        NodeEnum::ColumnDef(column) => {
            let of = column.type_name.as_ref().filter(|of| of.array_bounds.is_empty())?;
            let (_, base) = crate::facts::names::qualified(&of.names)?;
            (base == name).then_some(column.colname.as_str())
        }
        _ => None,
    };
    match node {
        NodeEnum::CreateStmt(s) => s.table_elts.iter().find_map(is_it),
        NodeEnum::CompositeTypeStmt(s) => s.coldeflist.iter().find_map(is_it),
        NodeEnum::AlterTableStmt(s) => s.cmds.iter().find_map(|command| match command.node.as_ref()? {
            NodeEnum::AlterTableCmd(command) => is_it(command.def.as_deref()?),
            _ => None,
        }),
        _ => None,
    }
}
