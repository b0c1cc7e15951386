//! The columns that expressions name.

use super::tree::{Visitor, visit, visit_list};
use pg_query::{Node, NodeEnum};
use serde_json::Number;

/// A column as an expression names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnName {
    /// Its name with what stands before it, such as a table; `*` for all columns.
    pub names: Vec<String>,
    /// Byte offset in the statement.
    pub location: Option<u32>,
}

/// The columns that some expressions name, in their order. `None` where one holds a query, whose columns are of tables
/// that it names itself.
#[must_use]
pub fn columns_in(expressions: &[Node]) -> Option<Vec<ColumnName>> {
    let mut finder = Finder::default();
    visit_list(expressions, &mut finder);
    (!finder.has_query).then_some(finder.found)
}

/// True where a statement names a column in an expression: `*` is none.
#[must_use]
pub fn names_columns(node: &NodeEnum) -> bool {
    let mut finder = Finder::default();
    visit(node, &mut finder);
    finder.found.iter().any(|column| column.names.last().is_some_and(|name| name != "*"))
}

/// All columns that a statement names, in its queries too.
#[must_use]
pub fn all_columns(node: &NodeEnum) -> Vec<ColumnName> {
    let mut finder = Finder::default();
    visit(node, &mut finder);
    finder.found
}

/// The relations that a statement names, each with the name that its columns go by: its alias, or its own.
#[must_use]
pub fn names_of_relations(node: &NodeEnum) -> Vec<(String, String)> {
    let mut relations = Relations::default();
    visit(node, &mut relations);
    let named = |(name, alias): (String, String)| {
        let goes_by = if alias.is_empty() { name.clone() } else { alias };
        (name, goes_by)
    };
    relations.found.into_iter().map(named).collect()
}

#[derive(Default)]
struct Relations {
    nodes: Vec<&'static str>,
    field: &'static str,
    found: Vec<(String, String)>,
}

impl Visitor for Relations {
    fn open(&mut self, node: &'static str) {
        self.nodes.push(node);
        if node == "RangeVar" {
            self.found.push(Default::default());
        }
    }

    fn field(&mut self, name: &'static str) {
        self.field = name;
    }

    fn close(&mut self) {
        self.nodes.pop();
    }

    fn text(&mut self, value: &str) {
        let Some((name, alias)) = self.found.last_mut() else { return };
        match (self.nodes.as_slice(), self.field) {
            ([.., "RangeVar"], "relname") => value.clone_into(name),
            ([.., "RangeVar", "Alias"], "aliasname") => value.clone_into(alias),
            _ => {}
        }
    }

    fn number(&mut self, _: Number) {}
}

#[derive(Default)]
struct Finder {
    /// The column at hand, and how many nodes are open in it.
    at_hand: Option<ColumnName>,
    depth: usize,
    field: &'static str,
    found: Vec<ColumnName>,
    has_query: bool,
}

impl Visitor for Finder {
    fn open(&mut self, node: &'static str) {
        self.has_query |= node == "SelectStmt";
        if let Some(column) = &mut self.at_hand {
            self.depth += 1;
            if node == "AStar" {
                column.names.push("*".into());
            }
        } else if node == "ColumnRef" {
            self.at_hand = Some(ColumnName::default());
        }
    }

    fn field(&mut self, name: &'static str) {
        self.field = name;
    }

    fn close(&mut self) {
        if self.depth > 0 {
            self.depth -= 1;
        } else {
            self.found.extend(self.at_hand.take());
        }
    }

    fn text(&mut self, value: &str) {
        if let Some(column) = &mut self.at_hand {
            column.names.push(value.to_owned());
        }
    }

    fn number(&mut self, value: Number) {
        if let Some(column) = self.at_hand.as_mut().filter(|_| self.depth == 0 && self.field == "location") {
            column.location = value.as_u64().and_then(|at| u32::try_from(at).ok());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    #[test]
    fn columns_of_expressions_are_found_and_queries_are_told() {
        let of = |sql| {
            let parsed = parse(sql, true).unwrap().unwrap();
            let NodeEnum::SelectStmt(select) = parsed.node() else { panic!() };
            let found = columns_in(&select.target_list)?;
            Some(
                found.into_iter().map(|column| (column.names.join("."), column.location)).collect::<Vec<_>>(),
            )
        };
        let found = of("SELECT a > 1, lower(t.\"B\") || 'c', current_date, x.*").unwrap();
        assert_eq!(found, [("a".into(), Some(7)), ("t.B".into(), Some(20)), ("x.*".into(), Some(49))]);
        assert_eq!(of("SELECT 1, now()"), Some(vec![]));
        assert_eq!(of("SELECT (SELECT a FROM t)"), None);
    }

    #[test]
    fn a_statement_that_names_columns_is_told() {
        let names = |sql| names_columns(parse(sql, true).unwrap().unwrap().node());
        assert!(names("CREATE VIEW v AS SELECT a FROM t") && names("DELETE FROM t WHERE a = 1"));
        assert!(!names("CREATE VIEW v AS SELECT * FROM t") && !names("INSERT INTO t (a) VALUES (1)"));
    }
}
