//! The text of a body as the server reads it, each byte with its place in the statement around it: quotes are doubled
//! there, and a text may stand in a string inside of a string.

use std::ops::Range;

/// Stands for names that are only known when a text is put together.
pub const UNKNOWN: &str = "unknown_to_tsmigrate";

/// A text and where its bytes come from.
#[derive(Clone, Debug, Default)]
pub(super) struct Source {
    text: String,
    /// Runs of bytes that are next to each other on both sides: their starts here and in the statement.
    runs: Vec<(usize, usize)>,
}

impl Source {
    /// A part of the statement itself.
    pub(super) fn of_statement(sql: &str, range: &Range<usize>) -> Self {
        let text = sql.get(range.clone()).unwrap_or_default().to_owned();
        Self { text, runs: vec![(0, range.start)] }
    }

    /// The text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Where a byte of the text stands in the statement. What was put in stands where it was put.
    pub(super) fn origin(&self, byte: usize) -> usize {
        let next = self.runs.partition_point(|(start, _)| *start <= byte);
        let Some((start, origin)) = next.checked_sub(1).and_then(|at| self.runs.get(at)) else { return 0 };
        let moved = origin + (byte - start);
        match self.runs.get(next) {
            Some((_, end)) if *end >= *origin => moved.min(*end),
            _ => moved,
        }
    }

    /// A range of the text as a range of the statement.
    pub(super) fn range(&self, range: &Range<usize>) -> Range<usize> {
        let start = self.origin(range.start);
        if range.end <= range.start {
            return start..start;
        }
        // The end is that of the last byte: what follows may stand elsewhere. Two bytes may stand for one.
        let last = self.origin(range.end - 1);
        let doubled = range.end < self.text.len() && self.origin(range.end) == last + 2;
        let end = if doubled { last + 2 } else { last + 1 };
        start..end.max(start)
    }

    /// Adds bytes of another text.
    pub(super) fn push(&mut self, from: &Self, range: &Range<usize>) {
        let Some(text) = from.text.get(range.clone()) else { return };
        let mut start = range.start;
        let mut next = from.runs.partition_point(|(begin, _)| *begin <= start);
        while start < range.end {
            let end = from.runs.get(next).map_or(range.end, |(begin, _)| (*begin).min(range.end));
            self.runs.push((self.text.len() + (start - range.start), from.origin(start)));
            start = end;
            next += 1;
        }
        self.text.push_str(text);
    }

    /// Adds text that stands for something else, at the place of that.
    pub(super) fn put(&mut self, text: &str, from: &Self, at: usize) {
        let place = from.origin(at);
        for offset in 0..text.len() {
            self.runs.push((self.text.len() + offset, place));
        }
        self.text.push_str(text);
    }

    /// The same text, whose origin is a text that has an origin itself.
    pub(super) fn through(self, outer: &Self) -> Self {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for at in 0..self.text.len() {
            let place = outer.origin(self.origin(at));
            if runs.last().is_none_or(|(start, origin)| origin + (at - start) != place) {
                runs.push((at, place));
            }
        }
        Self { text: self.text, runs }
    }

    /// What a string constant of the text says: dollar quotes, `''`, `E''`. `None` where it is none of these.
    pub(super) fn string(&self, token: &Range<usize>, backslashes: bool) -> Option<Self> {
        let text = self.text.get(token.clone())?;
        let mut out = Self::default();
        if text.starts_with('$') {
            let tag = text.get(..text.get(1..)?.find('$')? + 2)?;
            let inner = token.start + tag.len()..token.end.checked_sub(tag.len())?;
            out.push(self, &inner);
            return (text.len() >= 2 * tag.len() && text.ends_with(tag)).then_some(out);
        }
        let (text, start, escapes) = match text.strip_prefix(['E', 'e']) {
            Some(rest) => (rest, token.start + 1, true),
            None => (text, token.start, backslashes),
        };
        let bytes = text.as_bytes();
        if bytes.first() != Some(&b'\'') {
            return None;
        }
        let mut at = 1;
        let mut run = 1;
        loop {
            match *bytes.get(at)? {
                b'\'' if bytes.get(at + 1) == Some(&b'\'') => {
                    out.push(self, &(start + run..start + at + 1));
                    at += 2;
                    run = at;
                }
                b'\'' => {
                    out.push(self, &(start + run..start + at));
                    // A string may go on behind a line break.
                    match text.get(at + 1..)?.find('\'') {
                        Some(more) => at += more + 2,
                        None => return Some(out),
                    }
                    run = at;
                }
                b'\\' if escapes => {
                    out.push(self, &(start + run..start + at));
                    let with = match *bytes.get(at + 1)? {
                        b'n' => "\n",
                        b't' => "\t",
                        b'r' => "\r",
                        b'\\' => "\\",
                        b'\'' => "'",
                        // Numbers of characters: no text that a person wrote.
                        b'0'..=b'9' | b'x' | b'u' | b'U' | b'b' | b'f' => return None,
                        _ => "",
                    };
                    out.put(with, self, start + at);
                    run = if with.is_empty() { at + 1 } else { at + 2 };
                    at += 2;
                    while !text.is_char_boundary(at) {
                        at += 1;
                    }
                }
                _ => at += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(sql: &str) -> Option<(String, Vec<usize>)> {
        let outer = Source::of_statement(sql, &(0..sql.len()));
        let inner = outer.string(&(0..sql.len()), false)?;
        let places = (0..inner.text().len()).map(|byte| inner.origin(byte)).collect();
        Some((inner.text().to_owned(), places))
    }

    #[test]
    fn a_doubled_quote_is_one_and_what_follows_keeps_its_place() {
        assert_eq!(read("'a''b'"), Some(("a'b".into(), vec![1, 2, 4])));
        assert_eq!(read("$x$a'b$x$"), Some(("a'b".into(), vec![3, 4, 5])));
        assert_eq!(read(r"E'a\'\nb'"), Some(("a'\nb".into(), vec![2, 3, 5, 7])));
        assert_eq!(read("'a'\n  'b'"), Some(("ab".into(), vec![1, 7])));
        assert_eq!(read("''"), Some((String::new(), vec![])));
    }

    #[test]
    fn what_is_no_string_of_these_forms_is_none() {
        for sql in ["'a", "U&'a'", "1", "$x$a$y$", "E'\\u0041'", "", "'", "$", "$$", "E"] {
            assert_eq!(read(sql), None, "{sql}");
        }
    }

    #[test]
    fn a_string_in_a_string_is_found_in_the_statement() {
        let sql = "'EXECUTE ''SELECT ''''x'''' ''; '";
        let outer = Source::of_statement(sql, &(0..sql.len()));
        let body = outer.string(&(0..sql.len()), false).unwrap();
        let from = body.text().find('\'').unwrap();
        let to = body.text().rfind('\'').unwrap() + 1;
        let inner = body.string(&(from..to), false).unwrap();
        assert_eq!(inner.text(), "SELECT 'x' ");
        let x = inner.text().find('x').unwrap();
        assert_eq!(&sql[inner.range(&(x..x + 1))], "x");
        assert_eq!(&sql[inner.range(&(0..6))], "SELECT");
    }
}
