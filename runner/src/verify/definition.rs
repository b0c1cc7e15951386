//! The same definition as different versions of PostgreSQL print it.
//!
//! Tried with a database of every kind of object that came from 15 to 17 and to 18: what is listed here is all that the
//! servers print differently. It is about queries that a server keeps as trees and prints anew: bodies of functions in
//! quotes are texts, of which every byte counts.

use super::catalog::Catalog;

/// What is printed from a query's tree.
fn printed(kind: &str, text: &str) -> bool {
    match kind {
        "view" | "materialized view" | "rule" | "continuous aggregate" | "policy" => true,
        "function" | "procedure" => text.contains("\nBEGIN ATOMIC\n"),
        _ => false,
    }
}

/// Two texts mean the same, although two servers of these versions printed them.
pub(super) fn same(kind: &str, ours: &str, theirs: &str, source: &Catalog, target: &Catalog) -> bool {
    if ours == theirs {
        return true;
    }
    if source.major == target.major || !printed(kind, ours) || !printed(kind, theirs) {
        return false;
    }
    // Line ends and indentation are no part of such a definition, where strings are left alone.
    let (ours, theirs) = (tokens(ours), tokens(theirs));
    if source.major < target.major { alike(&ours, &theirs) } else { alike(&theirs, &ours) }
}

/// Words, strings, quoted names and single signs; a string or a quoted name is one token.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            c if c.is_whitespace() => {
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
                continue;
            }
            '\'' | '"' => quoted(rest, first),
            c if word(c) => rest.find(|c| !word(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let (token, after) = rest.split_at(length.min(rest.len()));
        tokens.push(token);
        rest = after;
    }
    tokens
}

fn word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// The length of a string or a quoted name, its quotes with it; a doubled quote is two such beside each other, which is as
/// good for a comparison.
fn quoted(text: &str, quote: char) -> usize {
    text.char_indices().skip(1).find(|(_, c)| *c == quote).map_or(text.len(), |(at, c)| at + c.len_utf8())
}

/// The older server's text says what the newer one's says.
fn alike(older: &[&str], newer: &[&str]) -> bool {
    let mut qualifier = None;
    let (mut a, mut b) = (older, newer);
    loop {
        match (a, b) {
            ([], []) => return true,
            ([x, a_rest @ ..], [y, b_rest @ ..]) if x == y => (a, b) = (a_rest, b_rest),
            // Up to 15 a view's columns are printed with their table, since 16 only where there are several. A view of
            // several tables names them in its FROM as well, and that is compared.
            ([name, ".", column, a_rest @ ..], [y, b_rest @ ..])
                if column == y && qualifier.is_none_or(|known| known == *name) =>
            {
                qualifier = Some(*name);
                (a, b) = (a_rest, b_rest);
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog(major: u32) -> Catalog {
        Catalog { major, ..Catalog::default() }
    }

    fn differ(ours: &str, theirs: &str) -> bool {
        !same("view", ours, theirs, &catalog(15), &catalog(17))
    }

    #[test]
    fn a_column_of_the_only_table_may_go_without_its_name() {
        let old = " SELECT customer.id,\n    customer.name\n   FROM app.customer\n  WHERE ((customer.credit)::integer > 100);";
        let new = " SELECT id,\n    name\n   FROM app.customer\n  WHERE ((credit)::integer > 100);";
        assert!(!differ(old, new));
        assert!(!same("view", new, old, &catalog(15), &catalog(15)));
        assert!(same("view", new, old, &catalog(17), &catalog(15)));
    }

    #[test]
    fn another_column_or_table_is_another_definition() {
        assert!(differ("SELECT a.x FROM a", "SELECT y FROM a"));
        assert!(differ("SELECT a.x, b.y FROM a, b", "SELECT x, y FROM a, b"));
        assert!(differ("SELECT a.x FROM a", "SELECT x FROM b"));
        assert!(differ("SELECT 'a.x' FROM a", "SELECT 'x' FROM a"));
    }

    #[test]
    fn what_stands_in_strings_counts_to_the_last_space() {
        assert!(differ("SELECT 'a  b'", "SELECT 'a b'"));
        assert!(!differ("SELECT  'a  b'", "SELECT 'a  b'"));
        assert!(differ("SELECT 'it''s'", "SELECT 'it'"));
    }

    #[test]
    fn of_bodies_in_quotes_every_byte_counts() {
        let (old, new) = ("AS $$ BEGIN x := NEW.a; END $$", "AS $$ BEGIN x := a; END $$");
        assert!(!same("function", old, new, &catalog(15), &catalog(17)));
        let atomic =
            |column: &str| format!("CREATE FUNCTION f()\nBEGIN ATOMIC\n SELECT {column}\n    FROM t;\nEND");
        assert!(same("function", &atomic("t.a"), &atomic("a"), &catalog(15), &catalog(17)));
    }

    #[test]
    fn the_same_version_prints_the_same() {
        assert!(!same("view", "SELECT  1", "SELECT 1", &catalog(17), &catalog(17)));
    }
}
