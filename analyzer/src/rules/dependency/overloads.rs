//! What DEP-02 finds of statements about a function or operator with other arguments than those that the inputs create.

use crate::facts::ObjectId;
use crate::facts::objects::{Object, signature, subject};
use crate::finding::ServerError;
use crate::parse::{Class, NodeEnum, pg};
use crate::rule::Context;
use crate::rules::data::large_objects::has_large_object;
use crate::target::{is_builtin, members};

/// A function or operator that nothing creates with these arguments: what it is in words, and what the server says.
pub(super) fn undeclared(ctx: &Context<'_>, node: &NodeEnum) -> Option<(String, ServerError)> {
    let Object { word, id } = subject(node)?;
    // Of procedures the server looks at results, too.
    if !matches!(word, "function" | "aggregate" | "operator")
        || matches!(node, NodeEnum::DropStmt(s) if s.missing_ok)
    {
        return None;
    }
    let own = signature(node)?;
    let id = ctx.resolved(&id);
    let all = ctx.facts.overloads.get(&id)?;
    let is_own = |types: &str| same(types, &own.types);
    if all.iter().any(|one| is_own(&one.signature.types))
        || !all.iter().all(|one| is_told(ctx, &one.signature.types))
    {
        return None;
    }
    let mut extensions = ctx.facts.extensions.keys().map(|name| &**name).chain(["timescaledb", "plpgsql"]);
    let is_others = extensions.any(|name| {
        members(name).is_none_or(|of| of.has(id.class, &id.name) || of.overloads(id.class, &id.name))
    });
    if is_others || ctx.target.live_extensions.is_some() {
        return None;
    }
    let (path, types) = (id.path().replace('"', ""), own.types.replace(',', ", "));
    let text = if id.class == Class::Operator {
        let (left, right) = own.types.split_once(',').unwrap_or(("", &own.types));
        format!("operator does not exist: {left} {path} {right}").replace(":  ", ": ")
    } else {
        format!("{word} {path}({types}) does not exist")
    };
    Some((format!("{word} {}({types})", id.path()), ServerError::new("42883", text)))
}

/// A function that the inputs create as another kind of routine than the statement says.
pub(super) fn of_other_kind(ctx: &Context<'_>, node: &NodeEnum) -> Option<(String, ServerError)> {
    use pg::ObjectType as T;
    let wanted = match node {
        NodeEnum::DropStmt(s) => s.remove_type,
        NodeEnum::CommentStmt(s) => s.objtype,
        NodeEnum::AlterFunctionStmt(s) => s.objtype,
        NodeEnum::AlterOwnerStmt(s) => s.object_type,
        NodeEnum::AlterObjectSchemaStmt(s) => s.object_type,
        NodeEnum::RenameStmt(s) => s.rename_type,
        NodeEnum::GrantStmt(s) if s.objects.len() == 1 => s.objtype,
        _ => return None,
    };
    let Object { word, id } = subject(node).filter(|object| object.id.class == Class::Function)?;
    let own = signature(node)?;
    let all = ctx.facts.overloads.get(&ctx.resolved(&id))?;
    let one = all.iter().find(|one| one.signature.types == own.types && one.absence.is_none())?;
    let (path, types) = (id.path().replace('"', ""), own.types.replace(',', ", "));
    let text = match (T::try_from(wanted).ok()?, one.word) {
        (T::ObjectProcedure, "function" | "aggregate") => format!("{path}({types}) is not a procedure"),
        (T::ObjectAggregate, "function" | "procedure") => {
            format!("function {path}({types}) is not an aggregate")
        }
        (T::ObjectFunction, "procedure") => format!("{path}({types}) is not a function"),
        // All else that is said of functions may be said of aggregates.
        (T::ObjectFunction, "aggregate") if matches!(node, NodeEnum::DropStmt(_)) => {
            format!("\"{path}\" is an aggregate function")
        }
        _ => return None,
    };
    Some((format!("{word} {}({types})", id.path()), ServerError::new("42809", text)))
}

/// A relation that the inputs create as another kind than the statement says.
pub(super) fn of_other_relation(ctx: &Context<'_>, node: &NodeEnum) -> Option<(String, ServerError)> {
    use pg::ObjectType as T;
    let (wanted, id) = match node {
        NodeEnum::CommentStmt(s) => (s.objtype, subject(node)?.id),
        NodeEnum::DropStmt(s) if s.objects.len() == 1 => (s.remove_type, subject(node)?.id),
        NodeEnum::GrantStmt(s) if s.objects.len() == 1 && s.objtype == T::ObjectSequence as i32 => {
            (s.objtype, subject(node)?.id)
        }
        NodeEnum::AlterTableStmt(s) if s.objtype != T::ObjectTable as i32 => (s.objtype, subject(node)?.id),
        NodeEnum::RefreshMatViewStmt(s) => {
            (T::ObjectMatview as i32, ctx.facts.table_id(s.relation.as_ref()?))
        }
        _ => return None,
    };
    let id = ctx.resolved(&id);
    let relation = ctx.facts.relations.get(&id).filter(|_| ctx.facts.exists(&id))?;
    let kind = match T::try_from(wanted).ok()? {
        T::ObjectTable => "table",
        T::ObjectView => "view",
        T::ObjectMatview => "materialized view",
        T::ObjectSequence => "sequence",
        T::ObjectIndex => "index",
        T::ObjectForeignTable => "foreign table",
        _ => return None,
    };
    // A continuous aggregate is a view that goes by materialized view.
    if relation.word == kind || kind == "materialized view" && relation.word == "view" {
        return None;
    }
    let code = if matches!(node, NodeEnum::RefreshMatViewStmt(_)) { "0A000" } else { "42809" };
    let article = if kind == "index" { "an" } else { "a" };
    let text = format!("\"{}\" is not {article} {kind}", id.name);
    Some((format!("{kind} {}", id.path()), ServerError::new(code, text)))
}

/// True where two lists of types are the same: arrays are written in two ways.
fn same(a: &str, b: &str) -> bool {
    let base = |name: &str| match (name.strip_prefix('_'), name.split_once("[]")) {
        (Some(of), _) | (None, Some((of, _))) => format!("{of}[]"),
        (None, None) => name.to_owned(),
    };
    a.split(',').map(base).eq(b.split(',').map(base))
}

/// True where each type is one that is known: `column%TYPE` is written like a type.
fn is_told(ctx: &Context<'_>, types: &str) -> bool {
    types.split(',').all(|name| {
        let name = name.trim_end_matches("[]");
        let name = name.strip_prefix('_').unwrap_or(name);
        name.is_empty()
            || is_builtin(Class::Type, name)
            || ctx.facts.is_somewhere(Class::Type, name)
            || ctx.facts.is_somewhere(Class::Relation, name)
    })
}

/// A large object that a statement grants, comments on or hands over, and that nothing creates: its number.
pub(super) fn large_object(ctx: &Context<'_>, node: &NodeEnum) -> Option<(String, ServerError)> {
    let id = match node {
        NodeEnum::GrantStmt(s) if s.objtype == pg::ObjectType::ObjectLargeobject as i32 => s
            .objects
            .iter()
            .filter_map(|node| Some(crate::facts::objects::granted(s, node)?.id))
            .find(|id| !is_there(ctx, id)),
        _ => subject(node).filter(|object| object.word == "large object").map(|object| object.id),
    }?;
    let number: u32 = id.name.parse().ok()?;
    let missing = !has_large_object(ctx, number);
    missing.then(|| {
        let words = format!("large object {number}");
        let text = format!("{words} does not exist");
        (words, ServerError::new("42704", text))
    })
}

fn is_there(ctx: &Context<'_>, id: &ObjectId) -> bool {
    id.name.parse().is_ok_and(|number| has_large_object(ctx, number))
}
