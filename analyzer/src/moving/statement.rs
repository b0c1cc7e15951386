//! One statement: its changes, the proof that they change what they should and nothing else, and what stays in doubt.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Doubt;
use super::body::{self, BodyChanges};
use super::names;
use super::places;
use super::scope::Scope;
use super::text::{LocalEdit, Text, edited, path_option};
use crate::body::parts;
use crate::finding::Why;
use crate::locate::Statement;
use crate::parse::{Change, NodeEnum, Parsed, TokenKind, Tokens, canonical, changed, parse};
use crate::quote::quoted;

/// Statements from this length on, in bytes, may have parts that are not in their trees: see [`parse`].
const LARGE: usize = 64 << 10;

/// What becomes of a statement.
#[derive(Debug, Default)]
pub(super) struct Moved {
    /// Changes of its bytes, proved.
    pub(super) edits: BTreeSet<LocalEdit>,
    /// What nothing proves.
    pub(super) doubts: Vec<Doubt>,
}

/// Moves the names of a statement.
pub(super) fn moved(
    statement: &Statement<'_>,
    parsed: &Parsed,
    standard_strings: bool,
    scope: Scope<'_>,
) -> Moved {
    let sql = statement.sql();
    let tree = canonical(parsed.node());
    let own = Text { sql, parsed, standard_strings, type_of_column: false }.changes(&tree, scope);
    let body = body::changes(statement, scope);
    let mut moved = Moved { edits: own.edits, doubts: Vec::new() };
    moved.doubts.extend(own.unknown.into_iter().map(|range| Doubt { why: Why::Text, range }));
    let mut changes = own.tree;
    let option =
        body.as_ref().and_then(|body| body.path.as_deref()).and_then(|path| set_path(statement, &tree, path));
    if let Some(body) = &body {
        moved.edits.extend(body.edits.iter().cloned());
        moved.doubts.extend(body.doubts.iter().cloned());
    }
    if let Some((edit, change)) = option {
        moved.edits.insert(edit);
        changes.push(change);
    }
    strings(statement, &tree, &changes, scope, &mut moved);
    columns(statement, &mut moved);
    if looks_in_public(statement.node(), body.as_ref(), scope) {
        moved.doubts.push(Doubt { why: Why::Open, range: statement.body() });
    }
    left_out(statement, parsed, scope, &mut moved);
    if !moved.edits.is_empty()
        && !is_proved(statement, parsed, standard_strings, &moved.edits, &changes, body.as_ref())
    {
        moved.edits.clear();
        moved.doubts = vec![Doubt { why: Why::Text, range: statement.body() }];
    }
    moved
}

/// True for a function that finds extensions in `public` by its `search_path`, and whatever else others put there.
fn looks_in_public(node: &NodeEnum, body: Option<&BodyChanges>, scope: Scope<'_>) -> bool {
    let NodeEnum::CreateFunctionStmt(function) = node else { return false };
    let names = |path: &[String]| path.iter().any(|name| name == "public");
    let given = || body.and_then(|body| body.path.as_deref()).is_some_and(names);
    let set = crate::facts::names::options(&function.options).filter_map(|option| {
        match option.arg.as_ref().and_then(|arg| arg.node.as_ref()) {
            Some(NodeEnum::VariableSetStmt(set)) if set.name == "search_path" => Some(&set.args),
            _ => None,
        }
    });
    let own = |args: &Vec<crate::parse::pg::Node>| {
        let path: Vec<String> =
            args.iter().filter_map(crate::facts::names::text).map(str::to_owned).collect();
        scope.path(&path).is_some_and(|path| names(&path))
    };
    given() || set.into_iter().any(own)
}

/// `SET search_path` for a function that has none: behind its last word.
fn set_path(statement: &Statement<'_>, tree: &Value, path: &[String]) -> Option<(LocalEdit, Change)> {
    let list: Vec<String> = path.iter().map(|schema| quoted(schema)).collect();
    let list = list.join(", ");
    let at = "/CreateFunctionStmt/options";
    let mut options = tree.pointer(at)?.as_array()?.clone();
    let has_path =
        |option: &Value| option.pointer("/DefElem/arg/VariableSetStmt/name") == Some(&"search_path".into());
    if options.iter().any(has_path) {
        return None;
    }
    options.push(path_option(&list)?);
    let end = statement.body().end;
    let edit = LocalEdit { range: end..end, text: format!(" SET search_path TO {list}") };
    Some((edit, Change::Set(at.to_owned(), Value::Array(options))))
}

/// Constants that speak of a schema and were not read as a name.
fn strings(statement: &Statement<'_>, tree: &Value, changes: &[Change], scope: Scope<'_>, moved: &mut Moved) {
    // Rows are data.
    if let NodeEnum::InsertStmt(_) = statement.node() {
        return;
    }
    let sql = statement.sql();
    let is_read = |path: &str| {
        changes.iter().any(|change| matches!(change, Change::Set(at, _) if path.starts_with(at.as_str())))
    };
    let asks = names::asks_catalogs(sql);
    let spoken = scope.spoken();
    let arguments = trigger_arguments(statement.node());
    for (path, said) in places::constants(tree).into_iter().chain(arguments) {
        let speaks = |schema: &str| !names::spoken_of(&said, schema).is_empty() || asks && said == schema;
        if is_read(&path) || !spoken.iter().any(|schema| speaks(schema)) {
            continue;
        }
        let holds =
            |token: &&crate::parse::Token| token.kind == TokenKind::String && token.text(sql).contains(&said);
        let range = statement.code().find(holds).map_or_else(|| statement.body(), Statement::token_range);
        moved.doubts.push(Doubt { why: Why::Text, range });
    }
}

/// What a trigger hands to its function: only that knows what they mean.
fn trigger_arguments(node: &NodeEnum) -> impl Iterator<Item = (String, String)> {
    let arguments = match node {
        NodeEnum::CreateTrigStmt(trigger) => crate::facts::names::strings(&trigger.args),
        _ => Vec::new(),
    };
    arguments.into_iter().map(|said| (String::new(), said.to_owned())).collect::<Vec<_>>().into_iter()
}

/// What of a large statement is not in its tree: rows and constants behind the first ones, which may be expressions.
fn left_out(statement: &Statement<'_>, parsed: &Parsed, scope: Scope<'_>, moved: &mut Moved) {
    let sql = statement.sql();
    if sql.len() < LARGE {
        return;
    }
    let known: BTreeSet<usize> = parsed.tokens(sql).iter().map(|token| token.start).collect();
    let all = Tokens::scan(sql);
    let all = all.as_slice();
    let spoken = scope.spoken();
    for (token, next) in all.iter().zip(all.iter().skip(1)).filter(|(token, _)| !known.contains(&token.start))
    {
        let names = match token.kind {
            TokenKind::String => next.text(sql) == "::" || next.text(sql) == ")",
            _ => next.text(sql) == ".",
        };
        let speaks = |schema: &str| match token.kind {
            TokenKind::String => !names::spoken_of(token.text(sql), schema).is_empty(),
            _ => token.identifier(sql).is_some_and(|name| name == schema),
        };
        // The last value of a row is a string before a bracket too: that of a call stands behind its name.
        let is_row = token.kind == TokenKind::String && next.text(sql) == ")" && token.depth < 2;
        if names && !is_row && spoken.iter().any(|schema| speaks(schema)) {
            moved.doubts.push(Doubt { why: Why::Text, range: Statement::token_range(token) });
            return;
        }
    }
}

/// Columns whose rows are names of objects.
fn columns(statement: &Statement<'_>, moved: &mut Moved) {
    let NodeEnum::CreateStmt(table) = statement.node() else { return };
    for column in &table.table_elts {
        let Some(NodeEnum::ColumnDef(column)) = &column.node else { continue };
        let names = column.type_name.as_ref().map(|name| crate::facts::names::strings(&name.names));
        let Some(name) = names.and_then(|names| names.last().copied()) else { continue };
        if name.starts_with("reg")
            && name != "regrole"
            && crate::target::is_builtin(crate::parse::Class::Type, name)
        {
            let at = usize::try_from(column.location).unwrap_or_default();
            let range = statement.name_at(at).unwrap_or_else(|| statement.body());
            moved.doubts.push(Doubt { why: Why::Rows, range });
        }
    }
}

/// True where the new text has the old tree with the changes, and its body the old parts with theirs.
fn is_proved(
    statement: &Statement<'_>,
    parsed: &Parsed,
    standard_strings: bool,
    edits: &BTreeSet<LocalEdit>,
    changes: &[Change],
    body: Option<&BodyChanges>,
) -> bool {
    let prove = || {
        let text = edited(statement.sql(), edits)?;
        let new = parse(&text, standard_strings).ok()??;
        let mut expected = changed(canonical(parsed.node()), changes)?;
        let mut is = canonical(new.node());
        if let Some(body) = body {
            for tree in [&mut expected, &mut is] {
                let path = places::body(tree)?;
                *tree.pointer_mut(&path)? = Value::Null;
            }
            let place = statement.place(&statement.range());
            let at = statement.at();
            let new = Statement::new(&text, &new, place.input, place.statement, place.span.start, at);
            let (old, new) = (parts(statement), parts(&new));
            if old.len() != new.len() || !body.trees.is_empty() && body.trees.len() != old.len() {
                return None;
            }
            for ((old, new), changes) in old.iter().zip(&new).zip(&body.trees) {
                let is_executed = old.executed.is_some();
                let expected = without_texts(changed(canonical(old.parsed().node()), changes)?, is_executed);
                if without_texts(canonical(new.parsed().node()), is_executed) != expected {
                    return None;
                }
            }
        }
        Some(is == expected && parsed.has_rows_of(&new))
    };
    prove().unwrap_or_default()
}

/// The tree without the texts in it that are SQL themselves: what EXECUTE and DO run is proved as a part of its own.
fn without_texts(mut tree: Value, is_executed: bool) -> Value {
    let constants = places::constants(&tree).into_iter().map(|(path, _)| path).filter(|_| is_executed);
    for path in constants.chain(places::body(&tree)).collect::<Vec<_>>() {
        if let Some(text) = tree.pointer_mut(&path) {
            *text = Value::Null;
        }
    }
    tree
}
