//! Tree and tokens together: the exact bytes of a clause, an option, a list item or a name.

use std::cell::OnceCell;
use std::ops::Range;

use crate::finding::{Excerpt, Place};
use crate::parse::{NodeEnum, Parsed, Reference, StatementKind, Token, TokenKind};
use crate::text::{Position, Span, position};

/// One parsed statement and where it stands.
#[derive(Debug)]
pub struct Statement<'a> {
    sql: &'a str,
    parsed: &'a Parsed,
    input: usize,
    number: u32,
    start: u64,
    at: Position,
    /// The places of its secrets, once somebody has asked.
    secrets: OnceCell<Vec<Range<usize>>>,
}

impl<'a> Statement<'a> {
    /// A statement whose first byte is byte `start` of its input, at line and column `at`. `parsed` is what was made of
    /// `sql`.
    #[must_use]
    pub fn new(
        sql: &'a str,
        parsed: &'a Parsed,
        input: usize,
        number: u32,
        start: u64,
        at: Position,
    ) -> Self {
        Self { sql, parsed, input, number, start, at, secrets: OnceCell::new() }
    }

    /// Where it begins.
    #[must_use]
    pub fn at(&self) -> Position {
        self.at
    }

    /// Its text, with stray bytes masked: see [`crate::text::parseable`].
    #[must_use]
    pub fn sql(&self) -> &'a str {
        self.sql
    }

    /// The root of its tree.
    #[must_use]
    pub fn node(&self) -> &'a NodeEnum {
        self.parsed.node()
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> StatementKind {
        StatementKind::of(self.node())
    }

    /// All its tokens, comments included.
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        self.parsed.tokens(self.sql)
    }

    /// All names that it refers to.
    #[must_use]
    pub fn references(&self) -> &[Reference] {
        self.parsed.references()
    }

    /// The whole statement.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        0..self.sql.len()
    }

    /// A range of the statement as a range of its input.
    #[must_use]
    pub fn span(&self, range: &Range<usize>) -> Span {
        Span::new(self.start + range.start as u64, self.start + range.end as u64)
    }

    /// A range of the statement as a place.
    #[must_use]
    pub fn place(&self, range: &Range<usize>) -> Place {
        let at = position(self.sql.as_bytes(), self.at, range.start);
        Place {
            input: self.input,
            statement: self.number,
            span: self.span(range),
            line: at.line,
            column: at.column,
        }
    }

    /// The bytes of a token.
    #[must_use]
    pub fn token_range(token: &Token) -> Range<usize> {
        token.start..token.end
    }

    /// Tokens without comments.
    #[must_use]
    pub fn code(&self) -> impl DoubleEndedIterator<Item = &Token> + Clone {
        self.tokens().iter().filter(|token| token.kind != TokenKind::Comment)
    }

    /// The first run of these words outside of brackets.
    #[must_use]
    pub fn words(&self, words: &[&str]) -> Option<Range<usize>> {
        self.words_from(0, words)
    }

    /// The first run of these words outside of brackets that starts at byte `from` or later.
    #[must_use]
    pub fn words_from(&self, from: usize, words: &[&str]) -> Option<Range<usize>> {
        self.words_where(words, |token| token.depth == 0 && token.start >= from)
    }

    /// The first run of these words, in brackets or not, whose first token the condition takes.
    #[must_use]
    pub fn words_where(&self, words: &[&str], first: impl Fn(&Token) -> bool) -> Option<Range<usize>> {
        let code: Vec<&Token> = self.code().collect();
        code.windows(words.len())
            .find(|window| {
                first(window[0])
                    && window.iter().zip(words).all(|(token, word)| token.is_word(self.sql, word))
            })
            .map(|window| window[0].start..window[words.len() - 1].end)
    }

    /// The bytes of the name that starts with the first token at byte `from` or later: `a`, `"a".b`.
    #[must_use]
    pub fn name_at(&self, from: usize) -> Option<Range<usize>> {
        let mut code = self.code().skip_while(|token| token.start < from);
        let first = code.next()?;
        first.identifier(self.sql)?;
        let mut end = first.end;
        while let (Some(dot), Some(part)) = (code.next(), code.next()) {
            if dot.text(self.sql) != "." || part.identifier(self.sql).is_none() {
                break;
            }
            end = part.end;
        }
        Some(first.start..end)
    }

    /// The token that covers this byte.
    #[must_use]
    pub fn token_at(&self, byte: usize) -> Option<&Token> {
        self.tokens().iter().find(|token| token.start <= byte && byte < token.end)
    }

    /// The end of the last token before this byte, comments included: what stands between is white space.
    #[must_use]
    pub fn end_before(&self, byte: usize) -> usize {
        self.tokens().iter().rev().find(|token| token.end <= byte).map_or(0, |token| token.end)
    }

    /// A clause together with the white space before it: what to delete so that no gap stays.
    #[must_use]
    pub fn with_gap(&self, clause: &Range<usize>) -> Range<usize> {
        self.end_before(clause.start)..clause.end
    }

    /// An item of a list with the comma that goes with it: the one before, or for the first item the one after.
    #[must_use]
    pub fn list_item(&self, item: &Range<usize>) -> Range<usize> {
        let comma = |token: &&Token| token.text(self.sql) == ",";
        let before = self.code().rfind(|token| token.end <= item.start).filter(comma);
        if let Some(comma) = before {
            return self.end_before(comma.start)..item.end;
        }
        let mut after = self.code().skip_while(|token| token.start < item.end);
        match after.next().filter(comma) {
            Some(comma) => item.start..after.next().map_or(comma.end, |next| next.start),
            None => self.with_gap(item),
        }
    }

    /// The statement without its semicolon.
    #[must_use]
    pub fn body(&self) -> Range<usize> {
        let end = self.code().rfind(|token| token.text(self.sql) != ";").map_or(0, |token| token.end);
        0..end
    }

    /// The dump's lines around a range, at most four, secrets masked.
    #[must_use]
    pub fn excerpt(&self, range: &Range<usize>) -> Excerpt {
        excerpt(self.sql, self.at, range, self.secrets())
    }

    /// The places of its secrets.
    #[must_use]
    pub fn secrets(&self) -> &[Range<usize>] {
        self.secrets.get_or_init(|| crate::secrets::masks(self.sql, self.tokens()))
    }
}

/// The lines around `range` of a text that begins at `at`; what `masks` covers is shown as `'…'`.
#[must_use]
pub fn excerpt(text: &str, at: Position, range: &Range<usize>, masks: &[Range<usize>]) -> Excerpt {
    const LINES: usize = 4;
    const WIDTH: usize = 400;
    let floor = |mut byte: usize| {
        byte = byte.min(text.len());
        while !text.is_char_boundary(byte) {
            byte -= 1;
        }
        byte
    };
    let (start, end) = (floor(range.start), floor(range.end.max(range.start)));
    let mut from = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    if start - from > WIDTH {
        from = floor(start - WIDTH / 4);
    }
    let line_end = |from: usize| text[from..].find('\n').map_or(text.len(), |newline| from + newline);
    let mut to = line_end(start);
    for _ in 1..LINES {
        if to + 1 >= end {
            break;
        }
        to = line_end(to + 1);
    }
    let to = floor(to.min(from + LINES * WIDTH)).max(start);
    let line = position(text.as_bytes(), at, from).line;

    let mut shown = String::new();
    let (mut marked_start, mut marked_end) = (0, 0);
    let mut byte = from;
    while byte <= to {
        if byte == start {
            marked_start = shown.len();
        }
        if byte == end.min(to) {
            marked_end = shown.len();
        }
        if byte == to {
            break;
        }
        if let Some(mask) = masks.iter().find(|mask| mask.start <= byte && byte < mask.end) {
            shown.push_str(crate::secrets::MASK);
            let next = floor(mask.end).min(to);
            if start > byte && start < next {
                marked_start = shown.len();
            }
            if end > byte && end < next {
                marked_end = shown.len();
            }
            byte = next.max(byte + 1);
            continue;
        }
        let c = text[byte..].chars().next().unwrap_or(' ');
        shown.push(if c == '\r' { ' ' } else { c });
        byte += c.len_utf8();
    }
    // An excerpt is a few lines.
    let byte = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Excerpt { line, text: shown.into(), start: byte(marked_start), end: byte(marked_end.max(marked_start)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    const START: Position = Position { line: 7, column: 1 };

    fn with<T>(sql: &str, test: impl Fn(&Statement<'_>) -> T) -> T {
        let parsed = parse(sql, true).unwrap().unwrap();
        test(&Statement::new(sql, &parsed, 0, 1, 100, START))
    }

    #[test]
    fn a_clause_is_found_outside_of_brackets_and_strings() {
        let sql = "CREATE TABLE t (tablespace text DEFAULT 'TABLESPACE x') /* TABLESPACE y */ TABLESPACE z;";
        with(sql, |s| {
            let clause = s.words(&["TABLESPACE"]).unwrap();
            assert_eq!(&sql[clause.start..], "TABLESPACE z;");
            assert_eq!(&sql[s.name_at(clause.end).unwrap()], "z");
            assert_eq!(&sql[s.with_gap(&(clause.start..sql.len() - 1))], " TABLESPACE z");
        });
    }

    #[test]
    fn names_are_found_whole() {
        let sql = "ALTER TABLE ONLY \"A.b\" . c OWNER TO r;";
        with(sql, |s| assert_eq!(&sql[s.name_at(17).unwrap()], "\"A.b\" . c"));
    }

    #[test]
    fn a_list_item_goes_with_its_comma() {
        let sql = "GRANT MAINTAIN, SELECT,INSERT ON t TO r;";
        with(sql, |s| {
            let without = |word: &str| {
                let item = s.list_item(&s.words(&[word]).unwrap());
                format!("{}{}", &sql[..item.start], &sql[item.end..])
            };
            assert_eq!(without("MAINTAIN"), "GRANT SELECT,INSERT ON t TO r;");
            assert_eq!(without("SELECT"), "GRANT MAINTAIN,INSERT ON t TO r;");
            assert_eq!(without("INSERT"), "GRANT MAINTAIN, SELECT ON t TO r;");
        });
    }

    #[test]
    fn places_count_from_the_start_of_the_input() {
        with("SELECT 1,\n  2;", |s| {
            let place = s.place(&(12..13));
            assert_eq!((place.line, place.column, place.span), (8, 3, Span::new(112, 113)));
        });
    }

    #[test]
    fn passwords_never_reach_an_excerpt() {
        for sql in [
            "ALTER ROLE r WITH LOGIN PASSWORD 'SCRAM-SHA-256$4096:abc' VALID UNTIL '2030-01-01';",
            "ALTER ROLE r PASSWORD $x$abc$x$;",
            "CREATE USER MAPPING FOR r SERVER s OPTIONS (password 'abc', \"user\" 'u');",
            "CREATE SUBSCRIPTION s CONNECTION 'host=h password=abc' PUBLICATION p;",
            "SELECT dblink('postgres://u:abc@h/d', 'SELECT 1');",
        ] {
            with(sql, |s| {
                let shown = s.excerpt(&s.range());
                assert!(!shown.text.contains("abc"), "{}", shown.text);
                assert!(shown.text.ends_with(';'));
            });
        }
    }

    #[test]
    fn passwords_of_meta_commands_never_reach_an_excerpt() {
        for text in ["\\c postgres://u:abc@h/d", "\\c \"host=h password=abc\"", "\\setenv PGPASSWORD abc"] {
            let shown = excerpt(text, START, &(0..text.len()), &crate::secrets::masks(text, &[]));
            assert!(!shown.text.contains("abc"), "{}", shown.text);
        }
    }

    #[test]
    fn an_excerpt_marks_its_range_after_a_mask() {
        let sql = "ALTER ROLE r PASSWORD 'abc' NOSUPERUSER;";
        with(sql, |s| {
            let shown = s.excerpt(&s.words(&["NOSUPERUSER"]).unwrap());
            assert_eq!(&shown.text[shown.marked()], "NOSUPERUSER");
            assert_eq!(shown.line, 7);
        });
    }

    #[test]
    fn a_long_statement_is_shown_by_its_first_lines() {
        let sql = format!("CREATE TABLE t (\n{}  z int\n);", "  a int,\n".repeat(9));
        with(&sql, |s| assert_eq!(s.excerpt(&s.range()).text.lines().count(), 4));
        with("SELECT 1;", |s| assert_eq!(&*s.excerpt(&(7..8)).text, "SELECT 1;"));
    }
}
