//! An option of CREATE FUNCTION and ALTER FUNCTION that only a superuser can write.

use crate::facts::names::options;
use crate::facts::objects::{created, subject};
use crate::finding::ServerError;
use crate::parse::{Change, NodeEnum, pg};
use crate::rule::{Context, Draft, FixDraft};
use crate::rules::clauses::word_and_name;

/// The option, and what is said of it.
pub(super) struct FunctionOption {
    /// Its word, as people write it.
    pub(super) word: &'static str,
    /// A name follows the word.
    pub(super) named: bool,
    /// True where the option asks for what is refused.
    pub(super) asks: fn(&pg::DefElem) -> bool,
    /// What is said of a function that has it, behind the function's words.
    pub(super) refused: &'static str,
    /// The server's words.
    pub(super) server: &'static str,
}

/// Reports a statement that has the option, with a fix that removes it.
pub(super) fn report(ctx: &mut Context<'_>, option: &FunctionOption) {
    let Some((statement, node)) = ctx.node() else { return };
    let (nodes, path) = match node {
        NodeEnum::CreateFunctionStmt(s) => (&s.options, "/CreateFunctionStmt/options"),
        NodeEnum::AlterFunctionStmt(s) => (&s.actions, "/AlterFunctionStmt/actions"),
        _ => return,
    };
    let FunctionOption { word, named, asks, refused, server } = *option;
    let found = options(nodes)
        .enumerate()
        .find(|(_, option)| option.defname.eq_ignore_ascii_case(word) && asks(option));
    let Some((index, found)) = found else { return };
    let Some(object) = created(node).or_else(|| subject(node)) else { return };
    let words = ctx.describe(&object);
    let Some(range) = word_and_name(statement, found, named) else { return };
    let alone = matches!(node, NodeEnum::AlterFunctionStmt(_)) && nodes.len() == 1;
    let fix = if alone {
        FixDraft::remove(format!("nothing is left of it without {word}"))
    } else {
        FixDraft::edit(format!("Remove {word}"))
            .delete(statement.with_gap(&range))
            .change(Change::Remove(format!("{path}/{index}")))
    };
    let draft = Draft::new(format!("{words} {refused}"))
        .at(range)
        .object(words.clone())
        .server(ServerError::new("42501", server))
        .fix(fix.lost(format!("{word} of {words}")));
    ctx.report(draft);
}
