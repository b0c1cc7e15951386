//! Quoting: names and texts as SQL writes them, and words as a shell reads them.

use std::fmt::Write as _;

use crate::clean::steers;
use crate::parse::{is_keyword, is_quoted_keyword};

/// A name as SQL writes it, quoted where PostgreSQL needs it or might come to need it.
///
/// ```
/// assert_eq!(tsmigrate_analyzer::quote::quoted("App Owner"), "\"App Owner\"");
/// ```
#[must_use]
pub fn quoted(name: &str) -> String {
    if is_plain(name) && !is_keyword(name) { name.to_owned() } else { identifier(name) }
}

/// A qualified name as SQL writes it.
#[must_use]
pub fn quoted_path(schema: Option<&str>, name: &str) -> String {
    schema.map_or_else(|| quoted(name), |schema| format!("{}.{}", quoted(schema), quoted(name)))
}

/// A name as the server's `quote_ident` writes it: in quotes only where SQL needs them today.
#[must_use]
pub fn quote_ident(name: &str) -> String {
    if is_plain(name) && !is_quoted_keyword(name) { name.to_owned() } else { identifier(name) }
}

/// A name in quotes.
#[must_use]
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// SQL as a command on one line: what would be cleaned off of its quoted names and strings when it is shown stands as its
/// number.
///
/// ```
/// assert_eq!(tsmigrate_analyzer::quote::in_one_line("DROP ROLE \"a\nb\""), r#"DROP ROLE U&"a\+00000Ab""#);
/// ```
#[must_use]
pub fn in_one_line(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(at) = rest.find(['"', '\'']) {
        let (before, quoted) = rest.split_at(at);
        let quote = quoted.get(..1).unwrap_or_default();
        let inner = quoted.get(1..).unwrap_or_default();
        let end = inner.find(quote).unwrap_or(inner.len());
        let (inner, after) = inner.split_at(end);
        out.push_str(before);
        if inner.contains(steers) {
            out.extend(["U&", quote]);
            for c in inner.chars() {
                match u32::from(c) {
                    _ if c == '\\' => out.push_str(r"\\"),
                    number if steers(c) => {
                        // Writing to a String cannot fail.
                        let _ = write!(out, "\\+{number:06X}");
                    }
                    _ => out.push(c),
                }
            }
        } else {
            out.extend([quote, inner]);
        }
        out.push_str(after.get(..1).unwrap_or_default());
        rest = after.get(1..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// True where SQL reads the name as it is, unless it is a keyword.
#[must_use]
pub fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// A text as a string constant of SQL, whatever `standard_conforming_strings` says.
///
/// ```
/// assert_eq!(tsmigrate_analyzer::quote::literal(r"it's a \"), r"E'it''s a \\'");
/// ```
#[must_use]
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", quoted.replace('\\', r"\\")) } else { format!("'{quoted}'") }
}

/// A word as a shell reads it.
///
/// ```
/// assert_eq!(tsmigrate_analyzer::quote::shell("my dump.sql"), "'my dump.sql'");
/// ```
#[must_use]
pub fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The name of a file as a shell reads it, and no program for an option. `-` stays standard input.
///
/// ```
/// assert_eq!(tsmigrate_analyzer::quote::shell_file("-a.sql"), "./-a.sql");
/// ```
#[must_use]
pub fn shell_file(name: &str) -> String {
    let is_option = name.starts_with('-') && name != "-";
    if is_option { shell(&format!("./{name}")) } else { shell(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_sql_needs_it() {
        let names = ["app_user", "App Owner", "we\"ird", "order", "name", ""];
        let quotes = ["app_user", "\"App Owner\"", "\"we\"\"ird\"", "\"order\"", "\"name\"", "\"\""];
        assert_eq!(names.map(quoted), quotes);
        assert_eq!(["name", "order"].map(quote_ident), ["name", "\"order\""]);
        assert_eq!(quoted_path(Some("a"), "B"), "a.\"B\"");
    }
}
