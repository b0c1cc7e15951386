//! INSERT … VALUES of many rows. A tree of all of them would take hundreds of bytes for each byte of the text: they are
//! parsed group by group, and the tree of the first group stands for all.

use std::collections::BTreeSet;
use std::ops::Range;

use super::reference::Reference;

/// A group of rows is complete when it has so many bytes.
const GROUP: usize = 16 << 10;

/// The parts of a statement `INSERT INTO … VALUES (…), (…), …;`.
#[derive(Debug)]
pub(super) struct Rows {
    /// The bytes of each group, without the comma behind it.
    groups: Vec<Range<usize>>,
}

impl Rows {
    /// The rows of an INSERT; `None` for any other statement.
    pub(super) fn of(sql: &str, standard_strings: bool) -> Option<Self> {
        let first = scan(sql, 0, standard_strings, |word| Some(word.eq_ignore_ascii_case("insert")))?;
        let insert = first.1.then_some(first.0)?;
        // The columns stand in brackets; a query or DEFAULT VALUES has no row behind the word.
        let is_values = |word: &str| match word.to_ascii_lowercase().as_str() {
            "values" => Some(true),
            "select" | "default" | "table" | "with" => Some(false),
            _ => None,
        };
        let (start, _) = scan(sql, insert, standard_strings, is_values).filter(|(_, found)| *found)?;
        let groups = groups(sql, start, standard_strings);
        (groups.len() > 1).then_some(Self { groups })
    }

    /// The statement with the rows of one group alone.
    pub(super) fn with(&self, sql: &str, index: usize) -> String {
        let (Some(first), Some(last), Some(group)) =
            (self.groups.first(), self.groups.last(), self.groups.get(index))
        else {
            return sql.to_owned();
        };
        let part = |range: Range<usize>| sql.get(range).unwrap_or_default();
        let (head, rows, tail) = (part(0..first.start), part(group.clone()), part(last.end..sql.len()));
        let mut text = String::with_capacity(head.len() + rows.len() + tail.len());
        text.push_str(head);
        text.push_str(rows);
        text.push_str(tail);
        text
    }

    /// How many groups there are.
    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    /// The byte of the whole statement that is this byte of the statement with one group alone.
    pub(super) fn byte(&self, index: usize, at: usize) -> usize {
        let begin = self.groups.first().map_or(0, |first| first.start);
        match self.groups.get(index) {
            Some(group) if index > 0 && at >= begin => at - begin + group.start,
            _ => at,
        }
    }

    /// The bytes of all groups but the first, and of what stands between them.
    pub(super) fn others(&self) -> Range<usize> {
        let end = |group: Option<&Range<usize>>| group.map_or(0, |group| group.end);
        end(self.groups.first())..end(self.groups.last())
    }

    /// Adds the names of a group: of each one that was not there.
    pub(super) fn add(
        &self,
        index: usize,
        found: &[Reference],
        known: &mut BTreeSet<Reference>,
        all: &mut Vec<Reference>,
    ) {
        for reference in found {
            let key = Reference { location: None, ..reference.clone() };
            if known.insert(key) {
                let at = |at: u32| u32::try_from(self.byte(index, at as usize)).ok();
                all.push(Reference { location: reference.location.and_then(at), ..reference.clone() });
            }
        }
    }
}

/// True for an INSERT whose rows the facts are read from: TimescaleDB's catalogs and pg_partman's configuration.
pub(super) fn are_read(sql: &str) -> bool {
    const HEAD: usize = 1 << 10;
    // The name stands before the first bracket.
    let head = sql.as_bytes().get(..sql.len().min(HEAD)).unwrap_or_default();
    let head = head.split(|byte| *byte == b'(').next().unwrap_or_default();
    let has = |word: &[u8]| memchr::memmem::find(head, word).is_some();
    let insert = head.trim_ascii_start().get(..6).is_some_and(|word| word.eq_ignore_ascii_case(b"insert"));
    insert && (has(b"_timescaledb") || has(b"part_config"))
}

/// The end of the first word outside of brackets that the test answers, and its answer.
fn scan(
    sql: &str,
    from: usize,
    standard_strings: bool,
    test: impl Fn(&str) -> Option<bool>,
) -> Option<(usize, bool)> {
    let bytes = sql.as_bytes();
    let (mut at, mut depth) = (from, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ if is_word(byte) => {
                let end = word_end(bytes, at);
                if depth == 0
                    && !matches!(bytes.get(end), Some(b'\''))
                    && let Some(answer) = test(sql.get(at..end)?)
                {
                    return Some((end, answer));
                }
                at = end.max(at + 1);
                continue;
            }
            _ => {}
        }
        at = skip(bytes, at, standard_strings);
    }
    None
}

fn groups(sql: &str, from: usize, standard_strings: bool) -> Vec<Range<usize>> {
    let bytes = sql.as_bytes();
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut open: Option<Range<usize>> = None;
    let mut at = from;
    loop {
        while let Some(blank) = blank_end(bytes, at) {
            at = blank;
        }
        if bytes.get(at) != Some(&b'(') {
            break;
        }
        let Some(end) = bracket_end(bytes, at, standard_strings) else { return Vec::new() };
        let group = open.get_or_insert(at..end);
        group.end = end;
        if group.len() >= GROUP {
            groups.extend(open.take());
        }
        at = end;
        while let Some(blank) = blank_end(bytes, at) {
            at = blank;
        }
        if bytes.get(at) != Some(&b',') {
            break;
        }
        at += 1;
    }
    groups.extend(open);
    groups
}

/// The end of white space or of a comment that begins here.
pub(super) fn blank_end(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        byte if byte.is_ascii_whitespace() => Some(at + 1),
        b'-' if bytes.get(at + 1) == Some(&b'-') => Some(skip(bytes, at, true)),
        b'/' if bytes.get(at + 1) == Some(&b'*') => Some(skip(bytes, at, true)),
        _ => None,
    }
}

/// The end of what is in brackets.
fn bracket_end(bytes: &[u8], from: usize, standard_strings: bool) -> Option<usize> {
    let (mut at, mut depth) = (from, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'(' => depth += 1,
            b')' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at = skip(bytes, at, standard_strings);
    }
    None
}

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

pub(super) fn word_end(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().position(|byte| !is_word(*byte) && *byte != b'$').unwrap_or(rest.len())
}

/// The end of the string, quoted name or comment that begins at this byte, else the next byte.
pub(super) fn skip(bytes: &[u8], at: usize, standard_strings: bool) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let find = |text: &[u8], from: usize| {
        memchr::memmem::find(rest.get(from..).unwrap_or_default(), text)
            .map_or(bytes.len(), |found| at + from + found + text.len())
    };
    match rest {
        [b'\'', ..] => {
            let before = at.checked_sub(1).and_then(|before| bytes.get(before));
            let other = at.checked_sub(2).and_then(|before| bytes.get(before));
            let escapes = matches!(before, Some(b'e' | b'E'))
                && !other.is_some_and(|byte| is_word(*byte) || *byte == b'$');
            quoted_end(bytes, at, b'\'', escapes || !standard_strings)
        }
        [b'"', ..] => quoted_end(bytes, at, b'"', false),
        [b'-', b'-', ..] => find(b"\n", 0),
        [b'/', b'*', ..] => {
            let (mut depth, mut end) = (0_usize, at);
            while let Some(pair) = bytes.get(end..end + 2) {
                match pair {
                    b"/*" => depth += 1,
                    b"*/" => depth -= 1,
                    _ => {
                        end += 1;
                        continue;
                    }
                }
                end += 2;
                if depth == 0 {
                    return end;
                }
            }
            bytes.len()
        }
        [b'$', ..]
            if !at.checked_sub(1).and_then(|before| bytes.get(before)).is_some_and(|byte| is_word(*byte)) =>
        {
            let tag = rest.iter().skip(1).take_while(|byte| is_word(**byte)).count();
            let is_tag = rest.get(tag + 1) == Some(&b'$') && !rest.get(1).is_some_and(u8::is_ascii_digit);
            if is_tag { find(rest.get(..tag + 2).unwrap_or_default(), tag + 2) } else { at + 1 }
        }
        _ => at + 1,
    }
}

fn quoted_end(bytes: &[u8], from: usize, quote: u8, escapes: bool) -> usize {
    let mut at = from + 1;
    while let Some(&byte) = bytes.get(at) {
        at += match byte {
            b'\\' if escapes => 2,
            byte if byte == quote && bytes.get(at + 1) == Some(&quote) => 2,
            byte if byte == quote => return at + 1,
            _ => 1,
        };
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::super::{Class, NodeEnum, ParseError, parse};

    fn large(rows: impl Fn(usize) -> String, tail: &str) -> String {
        let rows: Vec<String> = (0..20_000).map(rows).collect();
        format!("INSERT INTO app.t (a, \"values\", b) -- VALUES (\n/* ( */ VALUES {}{tail};", rows.join(", "))
    }

    #[test]
    fn the_first_rows_of_many_stand_for_all_in_the_tree_and_all_names_are_known() {
        for row in
            ["({}, 'it''s ) (', E'\\'(')", "({}, $x$ ( $$ $x$, \"c(\" )", "( {} /* ( /* ) */ */ , (1), 'é' )"]
        {
            let last = |n: usize| if n == 19_999 { "app.late()".to_owned() } else { n.to_string() };
            let sql = large(|n| row.replace("{}", &last(n)), " ON CONFLICT (a) DO UPDATE SET b = app.tail()");
            let parsed = parse(&sql, true).unwrap().unwrap();
            let NodeEnum::InsertStmt(insert) = parsed.node() else { panic!() };
            assert!(insert.on_conflict_clause.is_some());
            let tokens = parsed.tokens(&sql);
            assert!(tokens.len() < 20_000 && tokens.last().unwrap().end == sql.len());
            for (name, at) in [("late", "app.late"), ("tail", "app.tail"), ("t", "app.t")] {
                let found = parsed.references().iter().find(|reference| &*reference.name == name).unwrap();
                assert_eq!(found.location.map(|at| at as usize), sql.find(at), "{row} {name}");
            }
            assert_eq!(parsed.references().iter().filter(|r| r.class == Class::Function).count(), 2);
        }
    }

    #[test]
    fn an_error_in_any_row_is_an_error() {
        let sql = large(|n| if n == 15_000 { "(1, SELECT, 2)".into() } else { "(1, 2, 3)".into() }, "");
        let Err(ParseError::Syntax { near, .. }) = parse(&sql, true) else { panic!("the parser took it") };
        let (start, end) = near.unwrap();
        assert_eq!(&sql[start..end], "SELECT");
    }

    #[test]
    fn trees_of_different_rows_differ() {
        let one = large(|n| format!("({n}, 2, 3)"), "");
        let other = one.replace("(19000, 2, 3)", "(19000, 2, 4)");
        let read = |sql: &str| parse(sql, true).unwrap().unwrap();
        assert!(read(&one).has_rows_of(&read(&one)) && !read(&one).has_rows_of(&read(&other)));
    }
}
