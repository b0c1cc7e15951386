//! The tokens of one statement with both ends: what a tree does not have.

use std::collections::HashMap;
use std::sync::OnceLock;

use pg_query::protobuf as pg;

/// What a token is, as far as finding clauses needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A keyword, reserved or not.
    Keyword,
    /// An identifier, quoted or not.
    Identifier,
    /// A string constant of any form.
    String,
    /// A comment of either form.
    Comment,
    /// Anything else: numbers, operators, punctuation.
    Other,
}

/// One token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// First byte in the statement.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// How many parentheses and brackets are open around it (a bracket itself counts as outside).
    pub depth: u32,
}

impl Token {
    /// Its text.
    #[must_use]
    pub fn text<'a>(&self, sql: &'a str) -> &'a str {
        sql.get(self.start..self.end).unwrap_or("")
    }

    /// True where it is this word, as a keyword or an unquoted identifier, in any case.
    #[must_use]
    pub fn is_word(&self, sql: &str, word: &str) -> bool {
        matches!(self.kind, TokenKind::Keyword | TokenKind::Identifier)
            && self.text(sql).eq_ignore_ascii_case(word)
    }

    /// The name that it stands for as an identifier: unquoted and folded as PostgreSQL folds it.
    #[must_use]
    pub fn identifier(&self, sql: &str) -> Option<String> {
        if !matches!(self.kind, TokenKind::Keyword | TokenKind::Identifier) {
            return None;
        }
        let text = self.text(sql);
        Some(match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(inner) => inner.replace("\"\"", "\""),
            None => text.to_ascii_lowercase(),
        })
    }
}

/// All tokens of a statement, comments included.
#[derive(Debug, Default)]
pub struct Tokens(Vec<Token>);

impl Tokens {
    /// Scans a statement. Text that cannot be scanned (an open quote) has no tokens.
    #[must_use]
    pub fn scan(sql: &str) -> Self {
        // Where there is no token pg_query makes a slice of a null pointer, which Rust does not define. The scanner passes
        // over these bytes alone (scan.l, whitespace): all others give a token or an error.
        if sql.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)) {
            return Self::default();
        }
        let Ok(scanned) = pg_query::scan_tokens(sql) else { return Self::default() };
        let mut depth = 0_u32;
        let tokens = scanned.iter().filter_map(|token| {
            let start = usize::try_from(token.start).ok()?;
            let end = usize::try_from(token.end).ok()?;
            let text = sql.get(start..end)?;
            if matches!(text, ")" | "]") {
                depth = depth.saturating_sub(1);
            }
            let out = Token { kind: kind(token, text), start, end, depth };
            if matches!(text, "(" | "[") {
                depth += 1;
            }
            Some(out)
        });
        Self(tokens.collect())
    }

    /// The tokens in order.
    #[allow(clippy::iter_without_into_iter)] // a `for` over tokens reads better as a filter
    pub fn iter(&self) -> std::slice::Iter<'_, Token> {
        self.0.iter()
    }

    /// The tokens in order, as a slice.
    #[must_use]
    pub fn as_slice(&self) -> &[Token] {
        &self.0
    }
}

/// True for PostgreSQL's keywords, reserved or not, in lower case (`src/include/parser/kwlist.h`).
#[must_use]
pub fn is_keyword(word: &str) -> bool {
    keywords().contains_key(word)
}

/// True for keywords that PostgreSQL's `quote_ident` puts into quotes: all but the unreserved ones.
#[must_use]
pub fn is_quoted_keyword(word: &str) -> bool {
    keywords().get(word).is_some_and(|unreserved| !unreserved)
}

/// All keywords, and whether each is unreserved.
fn keywords() -> &'static HashMap<String, bool> {
    static KEYWORDS: OnceLock<HashMap<String, bool>> = OnceLock::new();
    KEYWORDS.get_or_init(|| {
        // The grammar numbers its keywords in the order of the alphabet; `_P` ends those that clash with C's names.
        let all = pg::Token::AbortP as i32..=pg::Token::Zone as i32;
        let name = |number| {
            let name = pg::Token::try_from(number).ok()?.as_str_name().to_ascii_lowercase();
            Some(name.strip_suffix("_p").map(str::to_owned).unwrap_or(name))
        };
        let names: Vec<String> = all.filter_map(name).collect();
        let kinds = pg_query::scan_tokens(&names.join(" ")).unwrap_or_default();
        let unreserved = pg::KeywordKind::UnreservedKeyword as i32;
        let kinds = kinds.into_iter().map(|token| token.keyword_kind == unreserved);
        names.into_iter().zip(kinds).collect()
    })
}

fn kind(token: &pg::ScanToken, text: &str) -> TokenKind {
    if token.token == pg::Token::SqlComment as i32 || token.token == pg::Token::CComment as i32 {
        TokenKind::Comment
    } else if token.token == pg::Token::Sconst as i32
        || token.token == pg::Token::Usconst as i32
        || text.starts_with('$') && text.ends_with('$') && text.len() > 1
    {
        TokenKind::String
    } else if token.token == pg::Token::Ident as i32 || token.token == pg::Token::Uident as i32 {
        TokenKind::Identifier
    } else if token.keyword_kind != pg::KeywordKind::NoKeyword as i32 {
        TokenKind::Keyword
    } else {
        TokenKind::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_those_that_the_scanner_knows() {
        for word in ["order", "abort", "zone", "year", "absent", "xmlserialize", "select", "nulls", "name"] {
            assert!(is_keyword(word), "{word}");
            assert!(Tokens::scan(word).iter().all(|token| token.kind == TokenKind::Keyword), "{word}");
        }
        for word in ["ident", "op", "orders", "t", "not_la", "sconst", "order_p", "abort_p"] {
            assert!(!is_keyword(word), "{word}");
        }
    }

    #[test]
    fn keywords_in_quotes_are_those_of_quote_ident() {
        for word in ["order", "select", "user", "left", "json", "between", "xmlserialize", "absent_"] {
            assert_eq!(is_quoted_keyword(word), word != "absent_", "{word}");
        }
        for word in ["abort", "zone", "name", "data", "value", "year", "absent"] {
            assert!(!is_quoted_keyword(word), "{word}");
        }
    }

    #[test]
    fn blanks_have_no_tokens() {
        for sql in ["", " ", "\t\n\r\u{b}\u{c} "] {
            assert_eq!(Tokens::scan(sql).iter().count(), 0);
        }
        assert_eq!(Tokens::scan(" -- a").iter().count(), 1);
        assert_eq!(Tokens::scan("/* a */").iter().count(), 1);
    }

    #[test]
    fn tokens_know_their_ends_and_their_depth() {
        let sql = "CREATE TABLE t (a \"I\"\"d\") /* c */ TABLESPACE ts";
        let tokens = Tokens::scan(sql);
        let of = |word| *tokens.iter().find(|t| t.is_word(sql, word)).unwrap();
        assert_eq!(of("a").depth, 1);
        assert_eq!(of("tablespace").depth, 0);
        let quoted = tokens.iter().find(|t| t.text(sql).starts_with('"')).unwrap();
        assert_eq!(quoted.identifier(sql).as_deref(), Some("I\"d"));
        assert!(tokens.iter().any(|t| t.kind == TokenKind::Comment));
    }
}
