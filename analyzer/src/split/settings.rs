//! `standard_conforming_strings` as the statements of a dump change it.

use crate::text::parse_bool;

/// A token, as far as the two readers here need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Word(&'a [u8]),
    /// A string, without its quotes.
    Text(&'a [u8]),
    Symbol(u8),
}

impl Token<'_> {
    pub(super) fn is(self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword.as_bytes()))
    }
}

/// The tokens of a short statement; comments and white space are left out.
pub(super) fn tokens(text: &[u8]) -> Vec<Token<'_>> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80;
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        if first.is_ascii_whitespace() || first == 0x0b {
            rest = after;
        } else if rest.starts_with(b"--") {
            rest = memchr::memchr2(b'\n', b'\r', rest).and_then(|end| rest.get(end..)).unwrap_or_default();
        } else if rest.starts_with(b"/*") {
            rest =
                memchr::memmem::find(after, b"*/").and_then(|end| after.get(end + 2..)).unwrap_or_default();
        } else if first == b'\'' || first == b'"' {
            let end = memchr::memchr(first, after).unwrap_or(after.len());
            let (text, quote) = after.split_at_checked(end).unwrap_or((after, &[]));
            tokens.push(if first == b'\'' { Token::Text(text) } else { Token::Symbol(first) });
            rest = quote.get(1..).unwrap_or_default();
        } else if is_word(first) {
            let end = rest.iter().position(|&byte| !is_word(byte)).unwrap_or(rest.len());
            let (word, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            tokens.push(Token::Word(word));
            rest = after;
        } else {
            tokens.push(Token::Symbol(first));
            rest = after;
        }
    }
    tokens
}

const NAME: &str = "standard_conforming_strings";

/// What a statement sets `standard_conforming_strings` to. A setting that goes back to the server's
/// default is taken as `on`, which it has been since PostgreSQL 9.1.
pub(super) fn standard_strings(statement: &[u8]) -> Option<bool> {
    // Most statements that begin with SET or SELECT do something else.
    let named = memchr::memchr_iter(b'_', statement).any(|underscore| {
        underscore
            .checked_sub("standard".len())
            .and_then(|start| statement.get(start..start + NAME.len()))
            .is_some_and(|name| name.eq_ignore_ascii_case(NAME.as_bytes()))
    });
    if !named && statement.len() > 64 {
        return None;
    }
    let tokens = tokens(statement);
    match tokens.as_slice() {
        [reset, all, Token::Symbol(b';')]
            if reset.is("reset") && (all.is("all") || all.is(NAME))
                || reset.is("discard") && all.is("all") =>
        {
            Some(true)
        }
        [set, scope, rest @ ..] if set.is("set") && (scope.is("session") || scope.is("local")) => {
            assigned(rest)
        }
        [set, rest @ ..] if set.is("set") => assigned(rest),
        [select, ..] if select.is("select") => tokens.windows(5).rev().find_map(configured),
        _ => None,
    }
}

fn assigned(tokens: &[Token<'_>]) -> Option<bool> {
    match tokens {
        [name, to, value, Token::Symbol(b';')]
            if name.is(NAME) && (to.is("to") || *to == Token::Symbol(b'=')) =>
        {
            boolean(*value)
        }
        _ => None,
    }
}

fn configured(tokens: &[Token<'_>]) -> Option<bool> {
    match tokens {
        [function, Token::Symbol(b'('), Token::Text(name), Token::Symbol(b','), value]
            if function.is("set_config") && name.eq_ignore_ascii_case(NAME.as_bytes()) =>
        {
            boolean(*value)
        }
        _ => None,
    }
}

fn boolean(value: Token<'_>) -> Option<bool> {
    let (Token::Word(value) | Token::Text(value)) = value else { return None };
    let value = std::str::from_utf8(value).ok()?;
    if value.eq_ignore_ascii_case("default") { Some(true) } else { parse_bool(value) }
}
