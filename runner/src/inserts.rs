//! Rows that stand in INSERT statements, as `pg_dump --inserts` writes them, read as the rows of a COPY.
//!
//! The values are those that COPY writes, in other quotes (`dumpTableData_insert` of `src/bin/pg_dump/pg_dump.c`). What is not
//! written as `pg_dump` does is refused. Nothing holds more than one row.

use std::io::{self, BufRead, Read};

use tsmigrate_analyzer::parse::{NodeEnum, Parsed, parse, pg};

use crate::names::Relation;
use crate::quote::identifier;

/// What stands before the values is shorter than this: a table has 1,600 columns at most.
const LONGEST_HEAD: usize = 1 << 20;

/// So many bytes of rows are made at a time.
const CHUNK: usize = 64 << 10;

/// Where rows go, as their first statement says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Into {
    /// The table.
    pub table: Relation,
    /// Its columns but for those that are generated; none where the statement does not name them.
    pub columns: Vec<String>,
}

impl Into {
    /// The COPY that takes the same rows.
    #[must_use]
    pub fn copy(&self) -> String {
        let columns: Vec<String> = self.columns.iter().map(|name| identifier(name)).collect();
        let columns = if columns.is_empty() { String::new() } else { format!("({}) ", columns.join(", ")) };
        format!("COPY {} {columns}FROM stdin;\n", self.table.sql())
    }
}

/// Looks at the first statement; none where there is no row.
///
/// # Errors
/// When it cannot be read, or is not as `pg_dump` writes it.
pub fn look(source: impl BufRead, standard_strings: bool) -> io::Result<Option<Into>> {
    let mut rows = Rows::new(source, standard_strings);
    if !rows.begin()? {
        return Ok(None);
    }
    let head = str::from_utf8(&rows.head).map_err(|_| unknown())?;
    let sql = if rows.is_without_values() { format!("{head};") } else { format!("{head} (NULL);") };
    let parsed = parse(&sql, true).ok().flatten();
    let Some(NodeEnum::InsertStmt(insert)) = parsed.as_ref().map(Parsed::node) else {
        return Err(unknown());
    };
    let table = insert.relation.as_ref().ok_or_else(unknown)?;
    let table = Relation::new(&table.schemaname, &table.relname);
    let name = |target: &pg::Node| match &target.node {
        Some(NodeEnum::ResTarget(target)) if target.indirection.is_empty() => Some(target.name.clone()),
        _ => None,
    };
    let columns: Option<Vec<String>> = insert.cols.iter().map(name).collect();
    let columns = columns.ok_or_else(unknown)?;
    rows.row(&mut Vec::new())?;
    let is_generated = |number: usize| rows.generated.as_ref().is_some_and(|all| all.contains(&number));
    if !columns.is_empty() && columns.len() != rows.values {
        return Err(unknown());
    }
    let columns = columns.into_iter().enumerate().filter(|(number, _)| !is_generated(*number));
    Ok(Some(Into { table, columns: columns.map(|(_, name)| name).collect() }))
}

/// The rows of one table's statements, as COPY takes them.
pub struct Rows<R> {
    source: R,
    /// Backslashes in strings are backslashes.
    standard_strings: bool,
    /// What the first statement has before its values: all others have the same.
    head: Vec<u8>,
    /// Within a statement's values.
    is_within: bool,
    /// Places of DEFAULT in each row, which stands for columns that are generated.
    generated: Option<Vec<usize>>,
    /// Values of the last row.
    values: usize,
    out: Vec<u8>,
    given: usize,
    /// Line ends behind the last statement, where that many have to stand behind all.
    lines: usize,
    must_end: bool,
}

fn unknown() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a row is not written as pg_dump --inserts does")
}

impl<R: BufRead> Rows<R> {
    /// Reads from the first statement on.
    pub fn new(source: R, standard_strings: bool) -> Self {
        Self {
            source,
            standard_strings,
            head: Vec::new(),
            is_within: false,
            generated: None,
            values: 0,
            out: Vec::new(),
            given: 0,
            lines: 0,
            must_end: false,
        }
    }

    /// The same, where two line ends behind the last statement's own have to say that these were all.
    pub fn with_end(source: R, standard_strings: bool) -> Self {
        Self { must_end: true, ..Self::new(source, standard_strings) }
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.source.fill_buf() {
                Ok(bytes) => return Ok(bytes.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn byte(&mut self) -> io::Result<u8> {
        let byte = self.peek()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.source.consume(1);
        Ok(byte)
    }

    fn expect(&mut self, wanted: &[u8]) -> io::Result<()> {
        for byte in wanted {
            if self.byte()? != *byte {
                return Err(unknown());
            }
        }
        Ok(())
    }

    /// Passes over blanks, and comments between statements.
    fn blanks(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.peek()? {
                Some(b'\n') => self.lines += 1,
                Some(b' ' | b'\t' | b'\r') => {}
                Some(b'-') if !self.is_within => {
                    self.expect(b"--")?;
                    while !matches!(self.peek()?, None | Some(b'\n')) {
                        self.source.consume(1);
                    }
                    continue;
                }
                other => return Ok(other),
            }
            self.source.consume(1);
        }
    }

    /// True of a table without columns.
    fn is_without_values(&self) -> bool {
        self.head.ends_with(b"DEFAULT VALUES")
    }

    /// Begins the next statement; false where there is none.
    fn begin(&mut self) -> io::Result<bool> {
        if self.blanks()?.is_none() {
            // Behind each statement stands the end of its line.
            let wanted = if self.head.is_empty() { 2 } else { 3 };
            if self.must_end && self.lines < wanted {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            return Ok(false);
        }
        self.lines = 0;
        let mut head = Vec::new();
        let mut is_quoted = false;
        while is_quoted || !head.ends_with(b" VALUES") {
            let byte = self.byte()?;
            is_quoted ^= byte == b'"';
            head.push(byte);
            if head.len() > LONGEST_HEAD || !is_quoted && matches!(byte, b'\'' | b';' | b'$') {
                return Err(unknown());
            }
        }
        if !head.starts_with(b"INSERT INTO ") || !self.head.is_empty() && self.head != head {
            return Err(unknown());
        }
        self.head = head;
        self.is_within = true;
        Ok(true)
    }

    /// Appends the next row of the statement, and the line's end.
    fn row(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.values = 0;
        if !self.is_without_values() {
            self.blanks()?;
            self.expect(b"(")?;
            let mut generated = Vec::new();
            let mut written = 0;
            loop {
                self.blanks()?;
                if written > 0 {
                    out.push(b'\t');
                }
                if self.value(out)? {
                    written += 1;
                } else {
                    if written > 0 {
                        out.pop();
                    }
                    generated.push(self.values);
                }
                self.values += 1;
                self.blanks()?;
                match self.byte()? {
                    b',' => {}
                    b')' => break,
                    _ => return Err(unknown()),
                }
            }
            if self.generated.get_or_insert_with(|| generated.clone()) != &generated {
                return Err(unknown());
            }
        }
        out.push(b'\n');
        match self.blanks()? {
            Some(b',') if self.values > 0 => self.source.consume(1),
            other => {
                if other == Some(b'O') {
                    self.expect(b"ON CONFLICT DO NOTHING")?;
                }
                self.expect(b";")?;
                self.is_within = false;
                self.lines = 0;
            }
        }
        Ok(())
    }

    /// Appends a value; false for DEFAULT.
    fn value(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        match self.peek()?.ok_or(io::ErrorKind::UnexpectedEof)? {
            b'\'' => self.string(self.standard_strings, out)?,
            b'B' => {
                self.expect(b"B")?;
                if self.peek()? != Some(b'\'') {
                    return Err(unknown());
                }
                self.string(true, out)?;
            }
            b'N' => {
                self.expect(b"NULL")?;
                out.extend_from_slice(b"\\N");
            }
            b'D' => {
                self.expect(b"DEFAULT")?;
                return Ok(false);
            }
            b't' => {
                self.expect(b"true")?;
                out.push(b't');
            }
            b'f' => {
                self.expect(b"false")?;
                out.push(b'f');
            }
            _ => {
                let start = out.len();
                while let Some(byte @ (b'0'..=b'9' | b'+' | b'-' | b'e' | b'E' | b'.')) = self.peek()? {
                    out.push(byte);
                    self.source.consume(1);
                }
                if out.len() == start {
                    return Err(unknown());
                }
            }
        }
        Ok(true)
    }

    /// Appends a string as COPY writes it.
    fn string(&mut self, standard_strings: bool, out: &mut Vec<u8>) -> io::Result<()> {
        self.expect(b"'")?;
        loop {
            let bytes = match self.source.fill_buf() {
                Ok([]) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let is_plain = |byte: &u8| !matches!(byte, b'\'' | b'\\' | 8..=13);
            let plain = bytes.iter().position(|byte| !is_plain(byte)).unwrap_or(bytes.len());
            if plain > 0 {
                out.extend_from_slice(bytes.get(..plain).unwrap_or_default());
                self.source.consume(plain);
                continue;
            }
            match self.byte()? {
                b'\'' if self.peek()? == Some(b'\'') => {
                    self.source.consume(1);
                    out.push(b'\'');
                }
                b'\'' => return Ok(()),
                b'\\' => {
                    if !standard_strings {
                        self.expect(b"\\")?;
                    }
                    out.extend_from_slice(b"\\\\");
                }
                8 => out.extend_from_slice(b"\\b"),
                b'\t' => out.extend_from_slice(b"\\t"),
                b'\n' => out.extend_from_slice(b"\\n"),
                11 => out.extend_from_slice(b"\\v"),
                12 => out.extend_from_slice(b"\\f"),
                _ => out.extend_from_slice(b"\\r"),
            }
        }
    }
}

impl<R: BufRead> Read for Rows<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.given == self.out.len() {
            let mut rows = std::mem::take(&mut self.out);
            rows.clear();
            self.given = 0;
            while rows.len() < CHUNK && (self.is_within || self.begin()?) {
                self.row(&mut rows)?;
            }
            self.out = rows;
        }
        let read = self.out.get(self.given..).unwrap_or_default().read(out)?;
        self.given += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> io::Result<String> {
        let mut rows = String::new();
        Rows::new(text.as_bytes(), true).read_to_string(&mut rows).map(|_| rows)
    }

    fn into(text: &str) -> io::Result<Option<(String, String)>> {
        let into = look(text.as_bytes(), true)?;
        Ok(into.map(|into| (into.table.to_string(), into.copy())))
    }

    #[test]
    fn rows_are_those_that_copy_would_have() {
        let text = "INSERT INTO s.t VALUES (1, -2.5e+10, 'it''s', NULL, true, false, B'0101', '', 'NaN');\n\
            INSERT INTO s.t VALUES (2, 0, E, NULL, true, false, B'', '\\N', 'a\tb\nc\\d\u{8}\u{b}\u{c}\re');\n";
        let text = text.replace(" E,", " ' ; -- ( \"',");
        let wanted = "1\t-2.5e+10\tit's\t\\N\tt\tf\t0101\t\tNaN\n\
            2\t0\t ; -- ( \"\t\\N\tt\tf\t\t\\\\N\ta\\tb\\nc\\\\d\\b\\v\\f\\re\n";
        assert_eq!(rows(&text).expect("rows"), wanted);
        let several = "\n--\n-- Data\n--\n\nINSERT INTO s.\"My \"\"VALUES (\" (a, \"b c\", g) OVERRIDING SYSTEM VALUE VALUES\n\
            \t(1, 'x', DEFAULT),\n\t(2, 'y', DEFAULT)\n ON CONFLICT DO NOTHING;\n\n\n";
        assert_eq!(rows(several).expect("rows"), "1\tx\n2\ty\n");
        let found = into(several).expect("a head").expect("rows");
        assert_eq!(found.1, "COPY \"s\".\"My \"\"VALUES (\" (\"a\", \"b c\") FROM stdin;\n");
        assert_eq!(
            into("INSERT INTO s.t VALUES (1);").expect("a head").expect("rows").1,
            "COPY \"s\".\"t\" FROM stdin;\n"
        );
        let empty = "INSERT INTO s.t DEFAULT VALUES;\nINSERT INTO s.t DEFAULT VALUES;\n";
        assert_eq!(rows(empty).expect("rows"), "\n\n");
        assert_eq!(into("\n\n").expect("nothing"), None);
        let mut doubled = String::new();
        let text = "INSERT INTO s.t VALUES ('a\\\\b''');\n";
        Rows::new(text.as_bytes(), false).read_to_string(&mut doubled).expect("rows");
        assert_eq!(doubled, "a\\\\b'\n");
    }

    #[test]
    fn what_pg_dump_does_not_write_is_refused() {
        for text in [
            "INSERT INTO s.t VALUES (evil());",
            "INSERT INTO s.t SELECT 1;",
            "INSERT INTO s.t VALUES (1); DROP TABLE s.t;",
            "INSERT INTO s.t VALUES (1);\nINSERT INTO s.u VALUES (1);",
            "INSERT INTO s.t VALUES (1, DEFAULT);\nINSERT INTO s.t VALUES (DEFAULT, 1);",
            "INSERT INTO s.t VALUES (1) RETURNING evil();",
            "INSERT INTO s.t VALUES (1)",
            "INSERT INTO s.t VALUES ('a",
            "INSERT INTO s.t VALUES ('a'::text);",
            "INSERT INTO s.t VALUES (now);",
            "WITH x AS (SELECT 1) INSERT INTO s.t VALUES (1);",
        ] {
            assert!(rows(text).is_err(), "{text}");
        }
        for text in ["INSERT INTO s.t (a, b) VALUES (1);", "INSERT INTO s.t (a[1]) VALUES (1);"] {
            assert!(into(text).is_err(), "{text}");
        }
        for (text, is_whole) in [
            ("\n\n", true),
            ("INSERT INTO s.t VALUES (1);\n\n\n", true),
            ("\n", false),
            ("INSERT INTO s.t VALUES (1);\n\n", false),
        ] {
            let mut all = String::new();
            let read = Rows::with_end(text.as_bytes(), true).read_to_string(&mut all);
            assert_eq!(read.is_ok(), is_whole, "{text}");
        }
    }
}
