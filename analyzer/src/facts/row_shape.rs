//! The shape of COPY rows in text format: whether each has the columns of its COPY, wherever a chunk ends.

use super::Facts;
use super::names::{option, option_text, string};
use super::tables::Traits;
use crate::parse::pg;

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RowFault {
    /// It has more values than there are columns.
    Extra,
    /// It ends before this column.
    Missing(Box<str>),
    /// `\.` at the end of a row: the server takes it for the end of all rows.
    Marker,
    /// `\.` with more behind it.
    MarkerCorrupt,
    /// A carriage return.
    Return,
    /// A line that ends without the carriage return of the lines before.
    Newline,
}

/// What is known of the rows at hand, and of the row that is open.
#[derive(Debug, Default)]
pub(crate) struct RowShape {
    /// The columns that the COPY names or, without a list, its table has; where none are known, rows are not looked at.
    pub(crate) columns: Vec<Box<str>>,
    delimiter: u8,
    /// Whether the first row ended with a carriage return; `None` before it.
    returns: Option<bool>,
    /// Delimiters of the open row.
    delimiters: usize,
    before: Before,
}

/// What stands before a byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Before {
    #[default]
    Other,
    /// The first of two bytes that belong together.
    Backslash,
    /// `\.`
    Marker,
    Return,
}

impl RowShape {
    /// For the rows of this COPY.
    pub(crate) fn of(facts: &Facts, copy: &pg::CopyStmt) -> Self {
        let text = |name: &str| option(&copy.options, name).and_then(option_text);
        let delimiter = text("delimiter").unwrap_or("\t").as_bytes();
        let is_text = text("format").is_none_or(|format| format.eq_ignore_ascii_case("text"));
        match delimiter {
            // A header is no row.
            [delimiter] if is_text && option(&copy.options, "header").is_none() => {
                Self { columns: columns(facts, copy), delimiter: *delimiter, ..Self::default() }
            }
            _ => Self::default(),
        }
    }

    /// The first byte at which the server knows that it refuses a row.
    pub(crate) fn fault(&mut self, text: &[u8]) -> Option<(usize, RowFault)> {
        if self.columns.is_empty() {
            return None;
        }
        let mut start = 0;
        while let Some(rest) = text.get(start..).filter(|rest| !rest.is_empty()) {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            let line = rest.get(..end)?;
            if !self.is_plain(line) {
                for (at, byte) in line.iter().enumerate() {
                    if let Err(fault) = self.step(*byte) {
                        return Some((start + at, fault));
                    }
                }
            }
            start += end;
        }
        None
    }

    /// True for a whole row that needs no closer look.
    fn is_plain(&self, line: &[u8]) -> bool {
        self.returns == Some(false)
            && (self.delimiters, self.before) == (0, Before::Other)
            && line.ends_with(b"\n")
            && memchr::memchr2(b'\\', b'\r', line).is_none()
            && memchr::memchr_iter(self.delimiter, line).count() + 1 == self.columns.len()
    }

    fn step(&mut self, byte: u8) -> Result<(), RowFault> {
        let before = std::mem::take(&mut self.before);
        match (before, byte) {
            (Before::Backslash, b'.') => self.before = Before::Marker,
            (Before::Backslash, _) => {}
            (Before::Marker, b'\r' | b'\n') => return Err(RowFault::Marker),
            (Before::Marker, _) => return Err(RowFault::MarkerCorrupt),
            (Before::Return, b'\n') if self.returns == Some(false) => return Err(RowFault::Return),
            (Before::Return | Before::Other, b'\n') => return self.end(before == Before::Return),
            (Before::Return, _) if self.returns.is_some() => return Err(RowFault::Return),
            // Where the first row ends with it alone, so do all; psql ends the last one with a newline.
            (Before::Return, _) => return Err(self.end(true).err().unwrap_or(RowFault::Newline)),
            (Before::Other, b'\\') => self.before = Before::Backslash,
            (Before::Other, b'\r') => self.before = Before::Return,
            (Before::Other, byte) => self.delimiters += usize::from(byte == self.delimiter),
        }
        Ok(())
    }

    /// The row ends.
    fn end(&mut self, returns: bool) -> Result<(), RowFault> {
        if *self.returns.get_or_insert(returns) != returns {
            return Err(RowFault::Newline);
        }
        let fields = std::mem::take(&mut self.delimiters) + 1;
        match self.columns.get(fields) {
            Some(column) => Err(RowFault::Missing(column.clone())),
            None if fields > self.columns.len() => Err(RowFault::Extra),
            None => Ok(()),
        }
    }
}

/// The columns that rows have values for; empty where they are not known.
fn columns(facts: &Facts, copy: &pg::CopyStmt) -> Vec<Box<str>> {
    let named: Vec<Box<str>> = copy.attlist.iter().filter_map(string).map(Into::into).collect();
    if !named.is_empty() || !copy.is_from {
        return named;
    }
    let table = facts.filled_by(copy.relation.as_ref()).filter(|table| table.is_whole_table());
    let own = table.into_iter().flat_map(|table| &table.columns);
    let filled = own.filter(|column| !column.traits.has(Traits::GENERATED));
    filled.map(|column| facts.names.name(column.name).into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{NodeEnum, parse};

    fn shape(options: &str) -> RowShape {
        let parsed = parse(&format!("COPY t (a, b, c) FROM stdin{options}"), true).unwrap().unwrap();
        let NodeEnum::CopyStmt(copy) = parsed.node() else { panic!() };
        RowShape::of(&Facts::default(), copy)
    }

    #[test]
    fn rows_are_counted_wherever_a_chunk_ends() {
        let missing = |column: &str| Some(RowFault::Missing(column.into()));
        for (options, rows, at, expected) in [
            ("", "1\t2\t3\n1\t\\N\t\\\\\n\t\t\n", 0, None),
            ("", "1\t2\t3\n1\t2\n", 9, missing("c")),
            ("", "1\t2\t3\n\n", 6, missing("b")),
            ("", "1\t2\t3\t\n", 6, Some(RowFault::Extra)),
            ("", "1\t2\\\t2\t3\n1\t2\t3\\\n3\n", 0, None),
            ("", "1\t2\\\\\t3\t4\n", 9, Some(RowFault::Extra)),
            ("", "1\t2\t3\\.\n", 7, Some(RowFault::Marker)),
            ("", "1\t\\.2\t3\n", 4, Some(RowFault::MarkerCorrupt)),
            ("", "1\t2\t3\r\n1\t2\t3\r\n", 0, None),
            ("", "1\t2\t3\r\n1\t2\t3\n", 12, Some(RowFault::Newline)),
            ("", "1\t2\t3\n1\t2\t3\r\n", 12, Some(RowFault::Return)),
            ("", "1\t2\r2\t3\n", 4, missing("c")),
            ("", "1\t2\t3\r1\t2\t3\n", 6, Some(RowFault::Newline)),
            ("", "1\t2\t3\n1\t\r2\t3\n", 9, Some(RowFault::Return)),
            (" (DELIMITER '|')", "1|2\t2|3\n1|2\n", 11, missing("c")),
            (" (FORMAT csv)", "1,2\n", 0, None),
            (" (HEADER)", "a\n", 0, None),
        ] {
            for cut in 0..rows.len() {
                let mut shape = shape(options);
                let (head, tail) = rows.as_bytes().split_at(cut);
                let found =
                    shape.fault(head).or_else(|| shape.fault(tail).map(|(at, fault)| (at + cut, fault)));
                assert_eq!(found, expected.clone().map(|fault| (at, fault)), "{rows:?} {cut}");
            }
        }
    }
}
