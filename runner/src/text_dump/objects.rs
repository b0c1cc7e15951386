//! Large objects in a dump's text: `pg_dump` writes a statement into each line.

use std::io::{self, BufRead, BufReader, Read};

/// A statement that writes a large object.
pub(super) enum Line<'a> {
    /// The object of this number is opened.
    Open(u64),
    /// These bytes are written, in hexadecimal digits.
    Write(&'a [u8]),
    /// It is closed.
    Close,
}

impl<'a> Line<'a> {
    /// Reads one; none of any other statement.
    pub(super) fn of(sql: &'a [u8]) -> Option<Self> {
        let call = sql.strip_prefix(b"SELECT pg_catalog.lo")?;
        if call == b"_close(0);" {
            return Some(Self::Close);
        }
        if let Some(open) = call.strip_prefix(b"_open('") {
            let number = open.strip_suffix(b"', 131072);")?;
            return str::from_utf8(number).ok()?.parse().ok().map(Self::Open);
        }
        let digits = call.strip_prefix(b"write(0, '")?.strip_suffix(b"');")?;
        // Where strings are not standard, the backslash is doubled.
        let digits = digits.strip_prefix(b"\\x").or_else(|| digits.strip_prefix(b"\\\\x"))?;
        let is_whole = digits.len() % 2 == 0 && digits.iter().all(u8::is_ascii_hexdigit);
        is_whole.then_some(Self::Write(digits))
    }
}

/// Reads the objects of a range, one after the other: their numbers and bytes.
pub(super) fn read(
    range: impl Read,
    each: &mut dyn FnMut(u64, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let mut lines = BufReader::new(range);
    while let Some(statement) = next(&mut lines)? {
        let Some(Line::Open(number)) = Line::of(&statement) else { return Err(unknown()) };
        let mut object = Object { lines: &mut lines, bytes: Vec::new(), given: 0, is_over: false };
        each(number, &mut object)?;
        io::copy(&mut object, &mut io::sink())?;
    }
    Ok(())
}

fn unknown() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a large object is not written as pg_dump does")
}

/// The next line that is not empty, without its end.
fn next(lines: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let end = line.trim_ascii_end().len();
        line.truncate(end);
        if !line.is_empty() {
            return Ok(Some(line));
        }
    }
}

/// The bytes of one object.
struct Object<'a, R> {
    lines: &'a mut R,
    bytes: Vec<u8>,
    given: usize,
    is_over: bool,
}

impl<R: BufRead> Read for Object<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.bytes.len() && !self.is_over {
            let statement = next(self.lines)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            self.given = 0;
            self.bytes.clear();
            match Line::of(&statement) {
                Some(Line::Write(digits)) => {
                    let digit = |digit: u8| char::from(digit).to_digit(16).unwrap_or_default();
                    let pairs = digits.as_chunks::<2>().0.iter();
                    let bytes = pairs.map(|[high, low]| digit(*high) * 16 + digit(*low));
                    self.bytes.extend(bytes.filter_map(|byte| u8::try_from(byte).ok()));
                }
                Some(Line::Close) => self.is_over = true,
                _ => return Err(unknown()),
            }
        }
        let mut rest = self.bytes.get(self.given..).unwrap_or_default();
        let read = rest.read(out)?;
        self.given += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_read_as_pg_dump_writes_them() {
        let text = b"SELECT pg_catalog.lo_open('4300', 131072);\nSELECT pg_catalog.lowrite(0, '\\x00ff');\n\
            SELECT pg_catalog.lowrite(0, '\\x41');\nSELECT pg_catalog.lo_close(0);\n\n\
            SELECT pg_catalog.lo_open('7', 131072);\nSELECT pg_catalog.lo_close(0);\n";
        let mut found = Vec::new();
        let mut each = |number, object: &mut dyn Read| {
            let mut bytes = Vec::new();
            object.read_to_end(&mut bytes)?;
            found.push((number, bytes));
            Ok(())
        };
        read(&text[..], &mut each).expect("objects");
        assert_eq!(found, [(4300, vec![0, 255, 0x41]), (7, vec![])]);
        for other in [
            "SELECT pg_catalog.lo_open('4300', 262144);",
            "SELECT pg_catalog.lowrite(0, '\\x0');",
            "SELECT pg_catalog.lowrite(0, evil());",
            "SELECT 1;",
        ] {
            assert!(Line::of(other.as_bytes()).is_none(), "{other}");
        }
    }
}
