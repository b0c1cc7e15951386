//! Identities of objects, as the servers print them (`trigger t on app.x`, `"a.b".c.d`): read with an eye on quotes.
//!
//! A name may hold whatever stands between names: dots, ` on `, brackets. Every name of ours is asked for with
//! `quote_all_identifiers`, so that it does not depend on the keywords of a server's version, and comes in quotes.

use crate::names::{self, Relation};
use crate::quote::{is_plain, quoted};

/// `text` with every byte of a quoted name, its quotes with it, replaced by a quote: what is found here stands outside.
fn masked(text: &str) -> String {
    let mut inside = false;
    let mut mask = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '"' {
            inside = !inside;
            mask.push('"');
        } else if inside {
            mask.extend(std::iter::repeat_n('"', c.len_utf8()));
        } else {
            mask.push(c);
        }
    }
    mask
}

fn apart<'a>(text: &'a str, at: Option<usize>, separator: &str) -> Option<(&'a str, &'a str)> {
    let at = at?;
    Some((text.get(..at)?, text.get(at + separator.len()..)?))
}

/// As [`str::split_once`], outside of quoted names.
pub(super) fn split_once<'a>(text: &'a str, separator: &str) -> Option<(&'a str, &'a str)> {
    apart(text, masked(text).find(separator), separator)
}

/// As [`str::rsplit_once`], outside of quoted names.
pub(super) fn rsplit_once<'a>(text: &'a str, separator: &str) -> Option<(&'a str, &'a str)> {
    apart(text, masked(text).rfind(separator), separator)
}

/// What stands before the first `separator` outside of quoted names.
pub(super) fn before<'a>(text: &'a str, separator: &str) -> &'a str {
    split_once(text, separator).map_or(text, |(before, _)| before)
}

/// The name that a text begins with; the text itself where it begins with none.
pub(super) fn name(text: &str) -> String {
    names::part(text).map_or_else(|| text.to_owned(), |(name, _)| name)
}

/// Every quoted name of a text in quotes only where it needs them. Strings, in single quotes or between dollar signs, are
/// left as they are.
pub(super) fn plain(text: &str) -> String {
    requoted(text, quoted)
}

/// The same, but without quotes around keywords: which words those are depends on a server's version.
pub(super) fn without_keywords(text: &str) -> String {
    requoted(text, |name| if is_plain(name) { name.to_owned() } else { quoted(name) })
}

fn requoted(text: &str, quoted: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => match names::part(rest) {
                Some((name, after)) => {
                    out.push_str(&quoted(&name));
                    rest = after;
                    continue;
                }
                None => rest.len(),
            },
            '\'' => closed(rest, "'"),
            '$' => match rest.get(1..).and_then(|tag| tag.split_once('$')) {
                Some((tag, _)) if tag.chars().all(|c| c.is_alphanumeric() || c == '_') => {
                    closed(rest, &format!("${tag}$"))
                }
                _ => 1,
            },
            c => c.len_utf8(),
        };
        let (token, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        out.push_str(token);
        rest = after;
    }
    out
}

/// The length of a text in quotes, with them; all of `text` where they are not closed.
fn closed(text: &str, quote: &str) -> usize {
    let inner = text.get(quote.len()..).unwrap_or_default();
    inner.find(quote).map_or(text.len(), |end| end + 2 * quote.len())
}

/// What an object is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A schema, as one of its objects or a part of one: the name of that object.
    Schema(Relation),
    /// No schema; the object's own name.
    Database(String),
}

/// Where an object of this kind is.
pub(super) fn place(kind: &str, identity: &str) -> Place {
    // `on table app.x`, `app.x [2024-01-01, 2024-01-02)`, `materialization of app.x`, `trigger t on app.x`
    let comment = identity.strip_prefix("on ").filter(|_| kind == "comment");
    let text = before(comment.unwrap_or(identity), " [");
    let text = rsplit_once(text, " on ").map_or(text, |(_, relation)| relation);
    let text =
        ["for ", "materialization of "].iter().find_map(|start| text.strip_prefix(start)).unwrap_or(text);
    let text = before(before(text, "("), " USING ").trim_end();
    let text = match comment {
        Some(_) => rsplit_once(text, " ").map_or(text, |(_, name)| name),
        None => text,
    };
    let Some((first, rest)) = names::part(text) else { return Place::Database(text.to_owned()) };
    match rest.strip_prefix('.') {
        Some(rest) => Place::Schema(Relation { schema: first, name: name(rest) }),
        None => Place::Database(first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_taken_apart_outside_of_names() {
        assert_eq!(split_once("\"a in b\" in \"c in d\"", " in "), Some(("\"a in b\"", "\"c in d\"")));
        assert_eq!(rsplit_once("\"t on x\" on \"a\"\" on \"", " on "), Some(("\"t on x\"", "\"a\"\" on \"")));
        assert_eq!(before("\"a(\"\"(b\"(int)", "("), "\"a(\"\"(b\"");
        assert_eq!(split_once("\"größe in\"", " in "), None);
    }

    #[test]
    fn quotes_stay_where_names_need_them_and_in_strings() {
        for (text, expected) in [
            ("\"app\".\"t\"", "app.t"),
            ("\"a.b\".\"c\"", "\"a.b\".c"),
            ("\"order\" on \"app\".\"T\"", "\"order\" on app.\"T\""),
            ("\"q\"\"\".\"x\"", "\"q\"\"\".x"),
            ("CHECK ((\"a\" = '\"a\"'::\"text\"))", "CHECK ((a = '\"a\"'::text))"),
            ("'it''s \"a\"' \"b\"", "'it''s \"a\"' b"),
            ("\"f\"() AS $function$ \"x\" $function$ \"y\"", "f() AS $function$ \"x\" $function$ y"),
            ("$1 \"a\"", "$1 a"),
            ("\"open", "\"open"),
        ] {
            assert_eq!(plain(text), expected);
        }
    }

    #[test]
    fn an_object_is_where_its_identity_says() {
        let schema = |schema: &str, name: &str| Place::Schema(Relation::new(schema, name));
        for (kind, identity, place_of) in [
            ("table", "\"a.b\".\"c\"", schema("a.b", "c")),
            ("table", "\"a\".\"b.c\"", schema("a", "b.c")),
            ("column", "\"a\".\"b on c\".\"d\"", schema("a", "b on c")),
            ("trigger", "\"x on y\" on \"a\".\"t [1\"", schema("a", "t [1")),
            ("comment", "on table \"a\".\"t t\"", schema("a", "t t")),
            ("comment", "on table constraint \"c c\" on \"a\".\"t\"", schema("a", "t")),
            ("function", "\"a\".\"f(g\"(integer)", schema("a", "f(g")),
            ("operator", "\"a\".+(integer,integer)", schema("a", "+")),
            ("comment", "on operator class \"a\".\"o\" USING \"btree\"", schema("a", "o")),
            ("default value", "for \"a\".\"t\".\"c\"", schema("a", "t")),
            ("chunk", "\"a\".\"t\" [2024-01-01, 2024-01-02)", schema("a", "t")),
            ("role", "\"some.one\"", Place::Database("some.one".into())),
            ("schema", "\"on x\"", Place::Database("on x".into())),
            ("cast", "(\"a\".\"t\" AS \"b\".\"u\")", Place::Database(String::new())),
        ] {
            assert_eq!(place(kind, identity), place_of, "{identity}");
        }
    }
}
