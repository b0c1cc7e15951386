//! The text that EXECUTE runs, as far as it is written there: strings, `format`, and both put together with `||`. What
//! is only known at run time becomes a name or string that stands for nothing.

use std::ops::Range;

use super::source::{Source, UNKNOWN};
use crate::parse::{Token, TokenKind, Tokens};

/// An unknown name or number.
const NAME: &str = UNKNOWN;
/// An unknown string.
const STRING: &str = "'unknown_to_tsmigrate'";

/// The statement in this part of a body; `None` where it does not begin with a string.
pub(super) fn text(source: &Source, range: &Range<usize>) -> Option<Source> {
    let sql = source.text().get(range.clone())?;
    let tokens = Tokens::scan(sql);
    let tokens: Vec<&Token> = tokens.iter().filter(|token| token.kind != TokenKind::Comment).collect();
    let mut out = Source::default();
    let items = tokens.split(|token| token.depth == 0 && token.text(sql) == "||");
    for (index, item) in items.enumerate() {
        let first = item.first()?;
        let at = |token: &Token| range.start + token.start..range.start + token.end;
        let string = |token: &Token| source.string(&at(token), false);
        match item {
            [token] if token.kind == TokenKind::String => {
                let string = string(token)?;
                out.push(&string, &(0..string.text().len()));
            }
            [call, open, format, .., close]
                if call.is_word(sql, "format")
                    && open.text(sql) == "("
                    && close.text(sql) == ")"
                    && format.kind == TokenKind::String =>
            {
                fill(&mut out, &string(format)?);
            }
            _ if index == 0 => return None,
            [call, open, ..] if open.text(sql) == "(" && is_literal(&call.text(sql).to_ascii_lowercase()) => {
                out.put(STRING, source, at(first).start);
            }
            _ => out.put(NAME, source, at(first).start),
        }
    }
    Some(out)
}

fn is_literal(function: &str) -> bool {
    matches!(function, "quote_literal" | "quote_nullable")
}

/// The text that `format` makes: `%I`, `%s` and `%L` become what stands for nothing (PostgreSQL
/// src/backend/utils/adt/varlena.c, `text_format`).
fn fill(out: &mut Source, format: &Source) {
    let text = format.text();
    let mut from = 0;
    while let Some(percent) = text.get(from..).and_then(|rest| rest.find('%')).map(|at| from + at) {
        out.push(format, &(from..percent));
        // %[position][flags][width]type
        let rest = text.get(percent + 1..).unwrap_or_default();
        let width =
            rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, '$' | '-' | '*'))).unwrap_or(rest.len());
        let kind = rest.get(width..).and_then(|rest| rest.chars().next());
        match kind {
            Some('%') => out.put("%", format, percent),
            Some('L') => out.put(STRING, format, percent),
            _ => out.put(NAME, format, percent),
        }
        from = percent + 1 + width + kind.map_or(0, char::len_utf8);
    }
    out.push(format, &(from..text.len()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(sql: &str) -> Option<String> {
        let source = Source::of_statement(sql, &(0..sql.len()));
        text(&source, &(0..sql.len())).map(|source| source.text().replace(NAME, "__"))
    }

    #[test]
    fn strings_formats_and_concatenations_are_read() {
        assert_eq!(read("'SELECT ''a'''").as_deref(), Some("SELECT 'a'"));
        assert_eq!(
            read("format('COPY %I.%2$I TO %L -- %%', a, b(c), d)").as_deref(),
            Some("COPY __.__ TO '__' -- %")
        );
        assert_eq!(
            read("'ALTER ROLE ' || quote_ident(r) || $$ PASSWORD $$ || quote_literal(p)").as_deref(),
            Some("ALTER ROLE __ PASSWORD '__'")
        );
        assert_eq!(read("format('%')").as_deref(), Some("__"));
    }

    #[test]
    fn what_does_not_begin_with_a_string_is_unknown() {
        for sql in ["v_sql", "f('a')", "v || 'a'", "", "'a' ||", "format(v, 'a')"] {
            assert_eq!(read(sql), None, "{sql}");
        }
    }
}
