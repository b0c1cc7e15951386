//! DATA-11: aggregates and operators on array functions of PostgreSQL 13 and older.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::objects::subject;
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, Class, NodeEnum, Reference, StatementKind, canonical, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::clauses::paths;

pub(crate) const RULE: Rule = Rule {
    id: "DATA-11",
    name: "array-function-types",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "array-agg polymorphism",
        "Functions on arrays whose argument types changed with 14.",
    ),
    also_answers: &["PG-14"],
    statements: &[
        StatementKind::AlterObjectSchemaStmt,
        StatementKind::AlterOwnerStmt,
        StatementKind::CommentStmt,
        StatementKind::DefineStmt,
        StatementKind::GrantStmt,
    ],
    doc: Doc {
        summary: "Aggregates and operators that name array_append and its like with anyarray and anyelement.",
        what: "CREATE AGGREGATE … (anyelement) (SFUNC = array_append, STYPE = anyarray), and operators on \
               array_cat, array_prepend, array_remove, array_replace, array_position, array_positions and \
               width_bucket.",
        why: "Since 14 these functions take anycompatible and anycompatiblearray: the old declaration no longer \
               fits them.",
        server: &["42883 function array_append(anyarray, anyelement) does not exist"],
        help: "The types are changed to those that fit, here and in the statements that name the aggregate or \
               operator.",
        before: "CREATE AGGREGATE public.array_accum(anyelement) (\n    SFUNC = array_append,\n    STYPE = anyarray,\n    INITCOND = '{}'\n);",
        after: "CREATE AGGREGATE public.array_accum(anycompatible) (\n    SFUNC = array_append,\n    STYPE = anycompatiblearray,\n    INITCOND = '{}'\n);",
        sources: Doc::sources(&["PostgreSQL release notes 14, Migration to Version 14"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

/// Aggregates and operators whose argument types were changed.
#[derive(Clone, Debug, Default)]
struct Retyped(BTreeSet<ObjectId>);

/// Functions whose arguments changed (catalog/pg_proc.dat of 14).
const CHANGED: &[&str] = &[
    "array_append",
    "array_prepend",
    "array_cat",
    "array_position",
    "array_positions",
    "array_remove",
    "array_replace",
    "width_bucket",
];

const TYPES: [(&str, &str); 2] = [("anyelement", "anycompatible"), ("anyarray", "anycompatiblearray")];

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let object = match node {
        NodeEnum::DefineStmt(s)
            if matches!(
                pg::ObjectType::try_from(s.kind),
                Ok(pg::ObjectType::ObjectAggregate | pg::ObjectType::ObjectOperator)
            ) =>
        {
            let names_changed = statement.references().iter().any(|r| {
                r.class == Class::Function
                    && r.schema.as_deref().is_none_or(|schema| schema == "pg_catalog")
                    && CHANGED.contains(&&*r.name)
            });
            ctx.created(node).filter(|_| names_changed)
        }
        NodeEnum::AlterOwnerStmt(_)
        | NodeEnum::CommentStmt(_)
        | NodeEnum::GrantStmt(_)
        | NodeEnum::AlterObjectSchemaStmt(_) => subject(node).filter(|object| {
            let id = ctx.resolved(&object.id);
            ctx.states.get::<Retyped>().is_some_and(|retyped| retyped.0.contains(&id))
        }),
        _ => return,
    };
    let Some(object) = object else { return };
    let sql = statement.sql();
    let new_name = |name: &str| TYPES.iter().find(|(old, _)| *old == name).map(|(_, new)| *new);
    let tokens: Vec<_> = statement
        .code()
        .filter_map(|token| Some((token.start..token.end, new_name(&token.identifier(sql)?)?)))
        .collect();
    let tree = canonical(node);
    let places = paths(&tree, &|value| {
        value.get("sval").and_then(Value::as_str).is_some_and(|name| new_name(name).is_some())
    });
    let Some((first, _)) = tokens.first().cloned() else { return };
    // Another function of the aggregate would not fit the new types.
    let own = statement.references().iter().find(|reference| takes_old_types(ctx, reference));
    if own.is_none() {
        let id = ctx.resolved(&object.id);
        ctx.states.of::<Retyped>().0.insert(id);
    }
    let words = ctx.describe(&object);
    let mut fix = FixDraft::edit("Use the types that fit since 14");
    for (range, new) in tokens {
        fix = fix.replace(range, new);
    }
    for place in places {
        let old = tree.pointer(&format!("{place}/sval")).and_then(Value::as_str).unwrap_or("");
        fix = fix.change(Change::set_str(format!("{place}/sval"), new_name(old).unwrap_or(old)));
    }
    let draft = Draft::new(format!("{words} is declared with the types of PostgreSQL 13 and older"))
        .at(first)
        .object(words)
        .server(ServerError::new("42883", "function array_append(anyarray, anyelement) does not exist"));
    ctx.report(match own {
        Some(own) => draft.advice(format!(
            "Give function {} the types anycompatible and anycompatiblearray too, or the aggregate a state function of its own \
             that takes anyarray.",
            own.name
        )),
        None => draft.fix(fix),
    });
}

/// True for a function of the inputs that takes the old types, and not the new ones.
fn takes_old_types(ctx: &Context<'_>, reference: &Reference) -> bool {
    let id = ObjectId::of(reference);
    let all = ctx.facts.overloads.get(&ctx.resolved(&id)).filter(|_| reference.class == Class::Function);
    let takes = |word: &str| {
        let mut types = all.into_iter().flatten().flat_map(|one| one.signature.types.split(','));
        types.any(|name| name == word)
    };
    TYPES.iter().any(|(old, _)| takes(old)) && !TYPES.iter().any(|(_, new)| takes(new))
}
