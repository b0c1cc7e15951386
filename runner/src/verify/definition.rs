//! The same definition as different servers print it.
//!
//! A server keeps queries and expressions as trees and prints them anew. What it prints is not always what it prints of
//! that, read again: `status IN ('new', 'done')` of a varchar and `n BETWEEN 1 AND 9 AND n <> 5` change once more in every
//! dump and restore, whatever the versions. Other differences lie between versions 15, 17 and 18. All that is listed here
//! came up with databases of every kind of object (`tests/fixtures/versions/definitions.sql`). Bodies of functions in quotes
//! are texts, of which every byte counts.

use std::cmp::Ordering;

use super::identity;
use super::object::Catalog;
use super::printed::canonical;

/// Whether the server prints what is said under `name` from a tree.
fn printed(kind: &str, name: &str) -> bool {
    match kind {
        "view"
        | "materialized view"
        | "rule"
        | "continuous aggregate"
        | "policy"
        | "table constraint"
        | "domain constraint"
        | "index"
        | "trigger"
        | "default value"
        | "statistics object" => true,
        "function" | "procedure" | "window function" => name == "definition",
        "table" | "foreign table" => matches!(name, "bound" | "partition key"),
        "publication" => name == "tables",
        "type" => name == "default",
        _ => false,
    }
}

/// Two texts mean the same, although servers have printed them differently.
pub(super) fn same(
    kind: &str,
    name: &str,
    ours: &str,
    theirs: &str,
    source: &Catalog,
    target: &Catalog,
) -> bool {
    if ours == theirs {
        return true;
    }
    // Words of the user's own.
    if matches!(kind, "comment" | "security label" | "role setting" | "database setting") {
        return false;
    }
    // Of the type json and the fields of EXTRACT some versions quote the names, and others know them as words.
    let (ours, theirs) = (&identity::without_keywords(ours), &identity::without_keywords(theirs));
    if ours == theirs || !printed(kind, name) {
        return ours == theirs;
    }
    let ((ours, our_body), (theirs, their_body)) = (head(kind, ours), head(kind, theirs));
    if our_body != their_body {
        return false;
    }
    // Line ends and indentation are no part of such a definition, where strings are left alone.
    let (ours, theirs) = (tokens(ours), tokens(theirs));
    let (ours, theirs) = (canonical(&ours), canonical(&theirs));
    match source.major.cmp(&target.major) {
        Ordering::Equal => ours == theirs,
        Ordering::Less => alike(&ours, &theirs),
        Ordering::Greater => alike(&theirs, &ours),
    }
}

/// Why ICU collations of a server before 16 have another locale on a newer one: `de@collation=phonebook` becomes
/// `de-u-co-phonebk` as it is created there, and no server says what the older form means.
pub(super) fn icu_locale(
    kind: &str,
    ours: &str,
    theirs: &str,
    source: &Catalog,
    target: &Catalog,
) -> Option<&'static str> {
    // Provider and determinism, then the locale.
    let start = |text: &str| text.splitn(3, ' ').take(2).map(ToOwned::to_owned).collect::<Vec<_>>();
    let applies = kind == "collation"
        && source.major < 16
        && target.major >= 16
        && ours.starts_with("i ")
        && start(ours) == start(theirs);
    applies.then_some("PostgreSQL writes ICU locales as language tags since 16")
}

/// A function's definition up to its body in quotes, and that body; all of other definitions.
fn head<'a>(kind: &str, text: &'a str) -> (&'a str, &'a str) {
    let body = match kind {
        "function" | "procedure" | "window function" => {
            ["\nAS $", "\nAS '"].iter().filter_map(|start| text.find(start)).min()
        }
        _ => None,
    };
    text.split_at(body.unwrap_or(text.len()))
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
            // Up to 15 a view's columns are printed with their table, since 16 only where there are several. A view of
            // several tables names them in its FROM as well, and that is compared.
            ([name, ".", column, a_rest @ ..], [y, b_rest @ ..])
                // A column may have the name of its table.
                if column == y && qualifier.is_none_or(|known| known == *name) && b_rest.first() != Some(&".") =>
            {
                qualifier = Some(*name);
                (a, b) = (a_rest, b_rest);
            }
            ([x, a_rest @ ..], [y, b_rest @ ..]) if x == y => (a, b) = (a_rest, b_rest),
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
        !same("view", "definition", ours, theirs, &catalog(15), &catalog(17))
    }

    #[test]
    fn a_column_of_the_only_table_may_go_without_its_name() {
        let old = " SELECT customer.id,\n    customer.name\n   FROM app.customer\n  WHERE ((customer.credit)::integer > 100);";
        let new = " SELECT id,\n    name\n   FROM app.customer\n  WHERE ((credit)::integer > 100);";
        assert!(!differ(old, new));
        assert!(!same("view", "definition", new, old, &catalog(15), &catalog(15)));
        assert!(same("view", "definition", new, old, &catalog(17), &catalog(15)));
    }

    #[test]
    fn words_that_one_version_quotes_are_the_same_word() {
        let same = |ours, theirs| same("column", "type", ours, theirs, &catalog(15), &catalog(17));
        assert!(same("\"json\"", "json"));
        assert!(same("EXTRACT(\"year\" FROM \"x\")", "EXTRACT(year FROM \"x\")"));
        assert!(!same("'\"json\"'::\"text\"", "'json'::\"text\""));
        assert!(!same("\"JSON\"", "json"));
        assert!(!same("\"a.b\"", "a.b"));
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
        let (old, new) = ("\nAS $$ BEGIN x := NEW.a; END $$", "\nAS $$ BEGIN x := a; END $$");
        assert!(!same("function", "definition", old, new, &catalog(15), &catalog(17)));
        let atomic =
            |column: &str| format!("CREATE FUNCTION f()\nBEGIN ATOMIC\n SELECT {column}\n    FROM t;\nEND");
        assert!(same("function", "definition", &atomic("t.a"), &atomic("a"), &catalog(15), &catalog(17)));
    }

    #[test]
    fn a_column_with_the_name_of_its_table_may_go_without_it_too() {
        assert!(!differ("SELECT a.id,\n a.a FROM x.t a", "SELECT id,\n a FROM x.t a"));
        assert!(!differ("SELECT a.a FROM a.a", "SELECT a FROM a.a"));
    }

    #[test]
    fn what_a_restore_prints_anew_is_the_same_in_one_version() {
        let equal = |kind: &str, ours: &str, theirs: &str| {
            same(kind, "definition", ours, theirs, &catalog(17), &catalog(17))
        };
        let list =
            "CHECK (((s)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))";
        let again = "CHECK (((s)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)::text])))";
        assert!(equal("table constraint", list, again));
        assert!(equal("index", list, again));
        assert!(!equal("table constraint", list, &again.replace("'b'", "'c'")));
        assert!(!equal("comment", list, again), "a comment is a text");
    }

    #[test]
    fn an_icu_locale_of_15_becomes_a_language_tag() {
        let reason = |ours: &str, theirs: &str, major| {
            icu_locale("collation", ours, theirs, &catalog(major), &catalog(17))
        };
        assert!(reason("i t de@collation=phonebook", "i t de-u-co-phonebk", 15).is_some());
        assert!(reason("i t de@collation=phonebook", "i f de-u-co-phonebk", 15).is_none());
        assert!(reason("i t de-u-co-phonebk", "i t de", 17).is_none());
        assert!(reason("c t de_DE de_DE", "c t C C", 15).is_none());
    }

    #[test]
    fn of_a_function_only_its_head_is_printed() {
        let with = |default: &str, body: &str| {
            format!("CREATE FUNCTION f(b boolean DEFAULT {default})\nAS $function${body}$function$\n")
        };
        let equal = |ours: &str, theirs: &str| {
            same("function", "definition", ours, theirs, &catalog(17), &catalog(17))
        };
        let (old, new) = ("(((a) AND (b)) AND (c))", "((a) AND (b) AND (c))");
        assert!(equal(&with(old, "x"), &with(new, "x")));
        assert!(!equal(&with(old, old), &with(old, new)));
    }
}
