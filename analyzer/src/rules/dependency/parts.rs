//! What DEP-02 finds of statements about triggers, policies and rules that nothing creates, of tables that exist.

use crate::facts::objects::subject;
use crate::finding::ServerError;
use crate::parse::{Class, NodeEnum};
use crate::rule::Context;

/// What is missing in words, and what the server says.
pub(super) fn undeclared(ctx: &Context<'_>, node: &NodeEnum) -> Option<(String, ServerError)> {
    let object = subject(node).filter(|object| object.id.class == Class::Attached)?;
    let id = ctx.resolved(&object.id);
    let (table, part) = (id.table()?, id.part.as_deref()?);
    let of = match object.word {
        // A partition has the triggers of its table.
        "trigger" if ctx.facts.partitioned.is_empty() => "table",
        "policy" => "table",
        // A view's own.
        "rule" if part != "_RETURN" => "relation",
        _ => return None,
    };
    // What belongs to a table that got another name is known under the old one.
    if !ctx.facts.renamed.is_empty()
        || !ctx.facts.exists(&table)
        || ctx.facts.declares(&id)
        || ctx.facts.absent.contains_key(&id)
    {
        return None;
    }
    let text = format!("{} \"{part}\" for {of} \"{}\" does not exist", object.word, table.name);
    Some((format!("{} {}", object.word, id.path()), ServerError::new("42704", text)))
}
