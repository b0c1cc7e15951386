//! One text with a tree of its own, a statement or a piece of a body: the changes of its names.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_json::Value;

use super::places::{self, Named, What};
use super::probe;
use super::scope::{Becomes, Scope};
use crate::parse::{Change, Class, NodeEnum, Parsed, Token, TokenKind, canonical, parse};
use crate::quote::{literal, quoted};

/// A change of bytes of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LocalEdit {
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

/// In the order of the bytes.
impl Ord for LocalEdit {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |edit: &Self| (edit.range.start, edit.range.end);
        key(self).cmp(&key(other)).then_with(|| self.text.cmp(&other.text))
    }
}

impl PartialOrd for LocalEdit {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The changes of a text.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Of its bytes, none twice.
    pub(super) edits: BTreeSet<LocalEdit>,
    /// Of its tree.
    pub(super) tree: Vec<Change>,
    /// Places that may have to change, and nothing proves it.
    pub(super) unknown: Vec<Range<usize>>,
}

/// A text with its tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    pub(super) sql: &'a str,
    pub(super) parsed: &'a Parsed,
    pub(super) standard_strings: bool,
    /// It declares `x schema.table.column%TYPE`, which the parser takes for a type.
    pub(super) type_of_column: bool,
}

impl Text<'_> {
    /// The changes that its names need.
    pub(super) fn changes(&self, tree: &Value, scope: Scope<'_>) -> Changes {
        let mut changes = Changes::default();
        let named = places::places(tree, self.type_of_column);
        let tables = self.tables();
        let has_table = |table: &str| tables.contains(table);
        let wanted: Vec<(Named, Becomes)> = named
            .into_iter()
            .filter_map(|named| scope.becomes(&named.what, has_table).map(|becomes| (named, becomes)))
            .collect();
        if wanted.is_empty() {
            return changes;
        }
        let tokens = self.tokens(&wanted);
        for (named, becomes) in wanted {
            if named.what.is_path() && becomes == Becomes::Unknown {
                changes.unknown.push(0..self.sql.len());
                continue;
            }
            if let (What::Path(_), Becomes::Path(new)) = (&named.what, &becomes) {
                match self.path(new) {
                    Some((edit, value)) => {
                        changes.edits.insert(edit);
                        changes.tree.push(Change::Set(named.path, value));
                    }
                    None => changes.unknown.push(0..self.sql.len()),
                }
                continue;
            }
            let Some(token) = tokens.get(&named.path) else {
                changes.unknown.push(0..self.sql.len());
                continue;
            };
            self.change(token, &named, becomes, &mut changes);
        }
        changes
    }

    fn change(&self, token: &Token, named: &Named, becomes: Becomes, changes: &mut Changes) {
        let range = token.start..token.end;
        match becomes {
            Becomes::Name(new) => {
                changes.edits.insert(LocalEdit { range, text: quoted(&new) });
                changes.tree.push(Change::set_str(&*named.path, &new));
            }
            Becomes::Text(parts, new) => {
                let said = match &named.what {
                    What::Text(_, said) | What::SchemaText(said) | What::ListText(said) => said.as_str(),
                    _ => "",
                };
                // The text as it stands in the token: not where something in it is escaped.
                let Some(at) = token.text(self.sql).find(said).filter(|_| !said.is_empty()) else {
                    return changes.unknown.push(range);
                };
                for (name, new) in parts {
                    let start = token.start + at;
                    let range = start + name.range.start..start + name.range.end;
                    changes.edits.insert(LocalEdit { range, text: new });
                }
                changes.tree.push(Change::set_str(&*named.path, &new));
            }
            Becomes::Path(_) | Becomes::Unknown => changes.unknown.push(range),
        }
    }

    /// Names of tables that the text reads under their own names.
    fn tables(&self) -> BTreeSet<String> {
        let relations =
            self.parsed.references().iter().filter(|reference| reference.class == Class::Relation);
        relations.map(|reference| reference.name.to_string()).collect()
    }

    /// The tokens of these places.
    fn tokens(&self, wanted: &[(Named, Becomes)]) -> BTreeMap<String, Token> {
        let mut names = BTreeSet::new();
        let mut in_strings = false;
        for (named, _) in wanted {
            match &named.what {
                What::Object { schema, .. }
                | What::Schema(schema)
                | What::ExtensionSchema(schema)
                | What::Column { schema, .. } => {
                    names.insert(schema.as_str());
                }
                What::Text(..) | What::SchemaText(_) | What::ListText(_) => in_strings = true,
                What::Path(_) => {}
            }
        }
        probe::tokens(self.sql, self.parsed, self.standard_strings, |token| match token.kind {
            TokenKind::String => in_strings,
            _ => token.identifier(self.sql).is_some_and(|name| names.contains(name.as_str())),
        })
    }

    /// `SET search_path` with another list: what is replaced, and the list in the tree.
    fn path(&self, new: &[String]) -> Option<(LocalEdit, Value)> {
        let tokens: Vec<&Token> =
            self.parsed.tokens(self.sql).iter().filter(|token| token.kind != TokenKind::Comment).collect();
        let is_path = |token: &&Token| token.identifier(self.sql).is_some_and(|name| name == "search_path");
        let at = tokens.iter().position(is_path)?;
        let first = at + 2;
        // value, value: two that follow each other are no list any more.
        let mut end = first;
        while tokens.get(end + 1).is_some_and(|token| token.text(self.sql) == ",") {
            end += 2;
        }
        let range = tokens.get(first)?.start..tokens.get(end)?.end;
        let list: Vec<String> = new.iter().map(|schema| literal(schema)).collect();
        let list = list.join(", ");
        let value = path_arguments(&list)?;
        Some((LocalEdit { range, text: list }, value))
    }
}

/// The arguments of `SET search_path TO` with this list, as a tree has them.
fn path_arguments(list: &str) -> Option<Value> {
    let parsed = parse(&format!("SET search_path TO {list}"), true).ok()??;
    let NodeEnum::VariableSetStmt(_) = parsed.node() else { return None };
    canonical(parsed.node()).pointer("/VariableSetStmt/args").cloned()
}

/// The option of CREATE FUNCTION that sets this list, as a tree has it.
pub(super) fn path_option(list: &str) -> Option<Value> {
    let sql = format!("CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path TO {list}");
    let parsed = parse(&sql, true).ok()??;
    canonical(parsed.node()).pointer("/CreateFunctionStmt/options/1").cloned()
}

/// The text with the changes.
pub(super) fn edited(sql: &str, edits: &BTreeSet<LocalEdit>) -> Option<String> {
    let mut out = String::with_capacity(sql.len());
    let mut done = 0;
    for edit in edits {
        out.push_str(sql.get(done..edit.range.start)?);
        out.push_str(&edit.text);
        done = edit.range.end;
    }
    out.push_str(sql.get(done..)?);
    Some(out)
}
