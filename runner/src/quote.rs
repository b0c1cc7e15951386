//! Names and texts as SQL writes them.

pub use tsmigrate_analyzer::quote::{identifier, is_plain, literal, quote_ident as quoted, shell};

/// A character that needs no quotes.
pub(crate) fn is_plain_char(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

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
