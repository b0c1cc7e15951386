//! Long lists of constants: `IN (1, 2, …)`, `ARRAY['a'::text, …]`, `VALUES (1, 'a'), …`. A tree of all of them would take
//! hundreds of bytes for each byte of the text, and tells nothing that the first ones do not.

use std::ops::Range;

use super::values::{blank_end, is_word, skip, word_end};

/// So many bytes of a list are kept.
const KEPT: usize = 16 << 10;

/// Constants in brackets in brackets are followed down to this depth.
const MAX_DEPTH: usize = 3;

/// The parts of a text that hold the constants behind the first ones of long lists, with the commas before them.
pub(super) fn left_out(sql: &str, standard_strings: bool) -> Vec<Range<usize>> {
    let bytes = sql.as_bytes();
    let reader = Reader { bytes, standard_strings };
    // The labels of a type are what it is.
    if reader.begins_with(&["create", "type"]) {
        return Vec::new();
    }
    let (mut at, mut found) = (0, Vec::new());
    while let Some(byte) = bytes.get(at) {
        if matches!(byte, b'(' | b'[' | b',') {
            let begin = if *byte == b'(' { at } else { at + 1 };
            let (end, rest) = reader.list(begin);
            found.extend(rest);
            at = end.max(at + 1);
        } else if is_word(*byte) {
            at = word_end(bytes, at).max(at + 1);
        } else {
            at = skip(bytes, at, standard_strings);
        }
    }
    found
}

struct Reader<'t> {
    bytes: &'t [u8],
    standard_strings: bool,
}

impl<'t> Reader<'t> {
    fn begins_with(&self, words: &[&str]) -> bool {
        let mut at = self.blanks(0);
        words.iter().all(|word| {
            let end = word_end(self.bytes, at);
            let is_it =
                self.bytes.get(at..end).is_some_and(|found| found.eq_ignore_ascii_case(word.as_bytes()));
            at = self.blanks(end);
            is_it
        })
    }

    /// The end of the list of constants that begins here, and what is left out of it.
    fn list(&self, from: usize) -> (usize, Option<Range<usize>>) {
        let (mut at, mut done, mut kept) = (from, from, None);
        let mut casts: Vec<&[u8]> = Vec::new();
        let mut known = 0;
        loop {
            let start = self.blanks(at);
            let Some(end) = self.item(start, 0, &mut casts) else { break };
            let next = self.blanks(end);
            let is_last = matches!(self.bytes.get(next), Some(b')' | b']'));
            if !is_last && self.bytes.get(next) != Some(&b',') {
                break;
            }
            if end - from <= KEPT {
                kept = Some(end);
                casts.sort_unstable();
                casts.dedup();
                known = casts.len();
            } else if kept.is_none() || casts.len() > known {
                break;
            }
            done = end;
            at = next + 1;
            if is_last {
                break;
            }
        }
        (done, kept.filter(|kept| *kept < done).map(|kept| kept..done))
    }

    /// The end of the constant, or of the constants in brackets, that begins here. Adds what it is cast to, where that is
    /// not known.
    fn item(&self, at: usize, depth: usize, casts: &mut Vec<&'t [u8]>) -> Option<usize> {
        let mut end = match *self.bytes.get(at)? {
            b'(' if depth < MAX_DEPTH => {
                let mut at = at + 1;
                loop {
                    let end = self.item(self.blanks(at), depth + 1, casts)?;
                    let next = self.blanks(end);
                    match self.bytes.get(next)? {
                        b',' => at = next + 1,
                        b')' => break next + 1,
                        _ => return None,
                    }
                }
            }
            b'\'' => skip(self.bytes, at, self.standard_strings),
            b'E' | b'e' if self.bytes.get(at + 1) == Some(&b'\'') => {
                skip(self.bytes, at + 1, self.standard_strings)
            }
            b'-' => self.number(at + 1)?,
            byte if byte.is_ascii_digit() => self.number(at)?,
            _ => {
                let end = word_end(self.bytes, at);
                let word = self.bytes.get(at..end)?;
                let words: [&[u8]; 3] = [b"null", b"true", b"false"];
                words.iter().any(|known| word.eq_ignore_ascii_case(known)).then_some(end)?
            }
        };
        while self.bytes.get(end..end + 2) == Some(b"::") {
            let cast = end;
            end = self.cast(end + 2)?;
            let cast = self.bytes.get(cast..end)?;
            if !casts.contains(&cast) {
                casts.push(cast);
            }
        }
        Some(end)
    }

    fn number(&self, at: usize) -> Option<usize> {
        let digits = |at: usize| {
            let rest = self.bytes.get(at..).unwrap_or_default();
            at + rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len())
        };
        let mut end = digits(at);
        if end == at {
            return None;
        }
        if self.bytes.get(end) == Some(&b'.') {
            end = digits(end + 1);
        }
        // `1e5`, `0x1f` and `1_000` are left to the parser.
        (!self.bytes.get(end).is_some_and(|byte| is_word(*byte) || *byte == b'.')).then_some(end)
    }

    /// The end of a type's name: `character varying(20)[]`.
    fn cast(&self, from: usize) -> Option<usize> {
        let (mut at, mut depth) = (from, 0_usize);
        loop {
            match *self.bytes.get(at)? {
                b'(' => depth += 1,
                b')' if depth > 0 => depth -= 1,
                b',' if depth > 0 => {}
                b')' | b',' | b']' | b':' => break,
                b'[' if self.bytes.get(at + 1) == Some(&b']') => at += 1,
                b' ' | b'.' | b'"' => {}
                byte if is_word(byte) => {}
                _ => return None,
            }
            at += 1;
        }
        Some(at)
    }

    fn blanks(&self, from: usize) -> usize {
        let mut at = from;
        while let Some(end) = blank_end(self.bytes, at) {
            at = end;
        }
        at
    }
}

/// How many words, numbers, strings and signs a text has, at most `limit`.
pub(super) fn tokens(sql: &str, limit: usize, standard_strings: bool) -> usize {
    let bytes = sql.as_bytes();
    let (mut at, mut count) = (0, 0);
    while count < limit {
        while let Some(blank) = blank_end(bytes, at) {
            at = blank;
        }
        let Some(byte) = bytes.get(at) else { break };
        at = if is_word(*byte) { word_end(bytes, at).max(at + 1) } else { skip(bytes, at, standard_strings) };
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::super::{ParseError, parse, references};
    use super::*;

    fn list(item: &str, count: usize) -> String {
        vec![item; count].join(", ")
    }

    #[test]
    fn long_lists_of_constants_are_left_out_behind_their_beginning() {
        for item in
            ["1", "-2.5", "'it''s, )'", "'a'::text", "('x'::character varying(3))::text", "(1, NULL, E'\\'')"]
        {
            for sql in [
                format!("SELECT * FROM app.t WHERE a IN ({}) AND app.f(b)", list(item, 100_000)),
                format!("CREATE VIEW v AS SELECT ARRAY[ {} ], app.f(1)", list(item, 100_000)),
                format!(
                    "CREATE VIEW v AS SELECT * FROM (VALUES (0), {} ) v, app.f(1)",
                    list(&format!("({item})"), 100_000)
                ),
            ] {
                let parsed = parse(&sql, true).unwrap().unwrap();
                let called = parsed.references().iter().find(|found| &*found.name == "f").unwrap();
                assert_eq!(called.location.map(|at| at as usize), sql.find("app.f"), "{item}");
                let tokens = parsed.tokens(&sql);
                assert!(tokens.len() < 60_000 && tokens.last().unwrap().end == sql.len(), "{item}");
            }
        }
    }

    #[test]
    fn what_is_no_constant_stays_in_the_tree() {
        let ones = list("1", 10_000);
        let late = list("'a'::app.late", 4);
        let sql = format!("SELECT a IN ({ones}, {late}, 1 + app.f(2), {ones})");
        let found = references(parse(&sql, true).unwrap().unwrap().node());
        for name in ["late", "f"] {
            assert!(found.iter().any(|reference| &*reference.name == name), "{name}");
        }
        assert!(left_out("SELECT 1, 2, 3", true).is_empty());
        let labels: Vec<String> = (0..10_000).map(|n| format!("'l{n}'")).collect();
        assert!(left_out(&format!("CREATE TYPE e AS ENUM ({})", labels.join(",")), true).is_empty());
    }

    #[test]
    fn an_error_behind_a_long_list_is_found_at_its_place() {
        let sql = format!("SELECT a IN ({}) FORM t", list("1", 100_000));
        let Err(ParseError::Syntax { near, .. }) = parse(&sql, true) else { panic!("the parser took it") };
        assert!(near.is_none_or(|(start, end)| sql.get(start..end) == Some("t")));
        let broken = format!("SELECT a IN ({}, 2 3)", list("1", 100_000));
        assert!(matches!(parse(&broken, true), Err(ParseError::Syntax { .. })));
    }

    #[test]
    fn trees_of_different_constants_differ() {
        let sql = |last: &str| format!("SELECT a IN ({}, {last})", list("1", 100_000));
        let read = |last: &str| parse(&sql(last), true).unwrap().unwrap();
        assert!(read("2").has_rows_of(&read("2")) && !read("2").has_rows_of(&read("3")));
    }

    #[test]
    fn what_a_tree_would_be_too_large_for_is_not_parsed() {
        let case: Vec<String> = (0..50_000).map(|n| format!("WHEN {n} THEN {n}")).collect();
        let sql = format!("UPDATE t SET a = CASE b {} END", case.join(" "));
        assert!(matches!(parse(&sql, true), Err(ParseError::TooLarge)));
        let columns: Vec<String> = (0..50_000).map(|n| format!("c{n} int")).collect();
        assert!(matches!(
            parse(&format!("CREATE TABLE t ({})", columns.join(", ")), true),
            Err(ParseError::TooLarge)
        ));
    }
}
