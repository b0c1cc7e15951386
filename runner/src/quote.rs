//! Names and texts as SQL writes them.

use tsmigrate_analyzer::quote::in_one_line;
pub use tsmigrate_analyzer::quote::{
    identifier, is_plain, literal, quote_ident as quoted, shell, shell_file,
};

/// The command that has psql run a statement on a server, whatever names are in it; `server` is SOURCE or TARGET, the
/// variable that README has for its connection string. It is one line, and means the same after it was shown: what a
/// terminal would not show of a name stands as its number.
pub(crate) fn psql(server: &str, sql: &str) -> String {
    format!("psql -X \"${server}\" -c {}", shell(&in_one_line(sql)))
}

/// A name in SQL as an option of ours on a command line: one line, and the same after it was shown.
pub(crate) fn argument(name: &str) -> String {
    shell(&in_one_line(name))
}

/// A name as [`argument`] writes it, with its characters in place of their numbers.
pub(crate) fn from_argument(given: &str) -> Option<String> {
    let mut out = String::with_capacity(given.len());
    let mut rest = given;
    while let Some(at) = rest.find("U&\"").or_else(|| rest.find("u&\"")) {
        let (before, coded) = (rest.get(..at)?, rest.get(at + 3..)?);
        let (inner, after) = coded.split_once('"')?;
        out.extend([before, "\"", &decoded(inner)?, "\""]);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

/// The text of `U&"…"`: `\\` is a backslash, `\0041` and `\+000041` a character by its number.
fn decoded(coded: &str) -> Option<String> {
    let mut out = String::with_capacity(coded.len());
    let mut rest = coded;
    while let Some((before, escape)) = rest.split_once('\\') {
        out.push_str(before);
        rest = if let Some(after) = escape.strip_prefix('\\') {
            out.push('\\');
            after
        } else {
            let (digits, length) = escape.strip_prefix('+').map_or((escape, 4), |digits| (digits, 6));
            let number = u32::from_str_radix(digits.get(..length)?, 16).ok()?;
            out.push(char::from_u32(number)?);
            digits.get(length..)?
        };
    }
    out.push_str(rest);
    Some(out)
}

/// A character that needs no quotes.
pub(crate) fn is_plain_char(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_command_gives_psql_the_statement_and_runs_nothing_else() {
        for name in ["plain", "it's", "$(touch x)", "`touch x`", "a\\", "\""] {
            let sql = format!("ALTER SCHEMA {} RENAME TO own", quoted(name));
            let line = psql("SOURCE", &sql);
            // Instead of psql, a command that writes down what it is given.
            let line = line.strip_prefix("psql -X \"$SOURCE\" -c ").expect("the command");
            let told = std::process::Command::new("sh").args(["-c", &format!("printf %s {line}")]).output();
            assert_eq!(String::from_utf8_lossy(&told.expect("a shell").stdout), sql);
        }
    }

    #[test]
    fn a_printed_command_is_one_line_that_cleaning_leaves_alone() {
        for (name, text) in [
            ("a\nb", r#"U&"a\+00000Ab""#),
            ("a\\\tb", r#"U&"a\\\+000009b""#),
            ("\u{202e}x", r#"U&"\+00202Ex""#),
            ("größe", "\"größe\""),
        ] {
            let line = psql("SOURCE", &format!("ALTER ROLE {} NOLOGIN", quoted(name)));
            assert_eq!(line, format!("psql -X \"$SOURCE\" -c 'ALTER ROLE {text} NOLOGIN'"));
            assert_eq!(tsmigrate_analyzer::clean::line(&line), line);
        }
    }

    #[test]
    fn a_printed_name_is_read_again() {
        for name in ["plain", "a\nb", "a\\\tb", "\u{202e}x", "q\"uo\nte", "größe"] {
            let name = format!("public.{}.fk", quoted(name));
            assert_eq!(tsmigrate_analyzer::clean::line(&argument(&name)), argument(&name));
            assert_eq!(from_argument(&in_one_line(&name)).as_deref(), Some(name.as_str()));
        }
        assert_eq!(from_argument("public.u&\"\\0041\"").as_deref(), Some("public.\"A\""));
        for broken in ["U&\"\\00\"", "U&\"\\+110000\"", "U&\"a"] {
            assert_eq!(from_argument(broken), None, "{broken}");
        }
    }

    #[test]
    fn names_are_quoted_as_quote_ident_does() {
        // What servers of version 17 answer to quote_ident().
        for (name, text) in [
            ("plain_1", "plain_1"),
            ("_x", "_x"),
            ("name", "name"),
            ("value", "value"),
            ("order", "\"order\""),
            ("json", "\"json\""),
            ("left", "\"left\""),
            ("1st", "\"1st\""),
            ("Case", "\"Case\""),
            ("a.b", "\"a.b\""),
            ("größe", "\"größe\""),
            ("q\"uote", "\"q\"\"uote\""),
            ("", "\"\""),
        ] {
            assert_eq!(quoted(name), text);
        }
    }
}
