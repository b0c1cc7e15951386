//! Names and texts as SQL writes them.

pub use tsmigrate_analyzer::quote::{identifier, is_plain, literal, quote_ident as quoted, shell};

/// The command that has psql run a statement on a server, whatever names are in it; `server` is SOURCE or TARGET, the
/// variable that README has for its connection string.
pub(crate) fn psql(server: &str, sql: &str) -> String {
    format!("psql -X \"${server}\" -c {}", shell(sql))
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
        for name in ["plain", "it's", "$(touch x)", "`touch x`", "a\\", "a\nb", "\""] {
            let sql = format!("ALTER SCHEMA {} RENAME TO own", quoted(name));
            let line = psql("SOURCE", &sql);
            // Instead of psql, a command that writes down what it is given.
            let line = line.strip_prefix("psql -X \"$SOURCE\" -c ").expect("the command");
            let told = std::process::Command::new("sh").args(["-c", &format!("printf %s {line}")]).output();
            assert_eq!(String::from_utf8_lossy(&told.expect("a shell").stdout), sql);
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
