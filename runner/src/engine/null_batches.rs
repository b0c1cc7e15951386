//! Batches of compressed rows that are NULL throughout in a column, as TimescaleDB 2.19.0 to 2.20.0 keep them: one byte, which
//! no restore reads. NULL means the same, and goes over in its place.

use std::io::{self, BufRead, BufReader, Read};

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::tables::Table;
use crate::tables::format::Format;

/// What a COPY in the binary format begins with.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// The batch, in either format.
const BINARY: &[u8] = &[6];
const TEXT: &[u8] = b"Bg==";

/// Replaces them in the rows of one COPY. They come in messages of whole rows, one or many (`connect/merged.rs`).
pub(crate) struct NullBatches {
    columns: Vec<usize>,
    format: Format,
    replaced: u64,
}

impl NullBatches {
    /// For a table that may hold such batches.
    pub(super) fn of(table: &Table) -> Option<Self> {
        let columns = table.null_batches.clone();
        (!columns.is_empty()).then_some(Self { columns, format: table.format, replaced: 0 })
    }

    /// For text of these columns, which hold compressed rows.
    pub(crate) fn in_text(columns: Vec<usize>) -> Option<Self> {
        (!columns.is_empty()).then_some(Self { columns, format: Format::Text, replaced: 0 })
    }

    /// How many were replaced so far.
    pub(super) fn replaced(&self) -> u64 {
        self.replaced
    }

    /// The same rows, read as they go over.
    pub(super) fn reading(self, rows: impl Read) -> impl Read {
        Reading { batches: self, rows: BufReader::new(rows), line: Bytes::new() }
    }

    /// Rows as they go over.
    pub(crate) fn rows(&mut self, rows: Bytes) -> Bytes {
        let replaced = match self.format {
            Format::Binary => binary(&rows, &self.columns),
            Format::Text => text(&rows, &self.columns),
        };
        match replaced {
            Some((other, batches)) => {
                self.replaced += batches;
                other
            }
            None => rows,
        }
    }
}

/// Text that is replaced line by line.
struct Reading<R> {
    batches: NullBatches,
    rows: BufReader<R>,
    /// What is left of the line that was read last.
    line: Bytes,
}

impl<R: Read> Read for Reading<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.line.is_empty() {
            let mut line = Vec::new();
            self.rows.read_until(b'\n', &mut line)?;
            self.line = self.batches.rows(line.into());
        }
        let length = self.line.len().min(out.len());
        self.line.split_to(length).copy_to_slice(out.get_mut(..length).unwrap_or_default());
        Ok(length)
    }
}

/// The rows with the batches replaced, and their number; none where they have none. What is not understood goes over as it is.
fn binary(message: &Bytes, columns: &[usize]) -> Option<(Bytes, u64)> {
    let mut rest = message.as_ref();
    if rest.starts_with(SIGNATURE) {
        rest = rest.get(SIGNATURE.len() + 4..)?;
        let extension = usize::try_from(rest.try_get_u32().ok()?).ok()?;
        rest = rest.get(extension..)?;
    }
    let mut out = BytesMut::with_capacity(message.len());
    out.extend_from_slice(message.get(..message.len() - rest.len())?);
    let mut batches = 0;
    while !rest.is_empty() {
        let fields = rest.try_get_i16().ok()?;
        out.put_i16(fields);
        // The end has -1.
        for field in 0..usize::try_from(fields).unwrap_or_default() {
            let length = rest.try_get_i32().ok()?;
            let value = rest.get(..usize::try_from(length).unwrap_or_default())?;
            rest = rest.get(value.len()..)?;
            if value == BINARY && columns.contains(&field) {
                batches += 1;
                out.put_i32(-1);
            } else {
                out.put_i32(length);
                out.extend_from_slice(value);
            }
        }
    }
    (batches > 0).then(|| (out.freeze(), batches))
}

fn text(lines: &Bytes, columns: &[usize]) -> Option<(Bytes, u64)> {
    let mut out = BytesMut::with_capacity(lines.len());
    let mut batches = 0;
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let (content, end) = match line.strip_suffix(b"\n") {
            Some(content) => (content, b"\n".as_slice()),
            None => (line, b"".as_slice()),
        };
        for (position, field) in content.split(|byte| *byte == b'\t').enumerate() {
            if position > 0 {
                out.put_u8(b'\t');
            }
            if field == TEXT && columns.contains(&position) {
                batches += 1;
                out.extend_from_slice(br"\N");
            } else {
                out.extend_from_slice(field);
            }
        }
        out.extend_from_slice(end);
    }
    (batches > 0).then(|| (out.freeze(), batches))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(head: bool, fields: &[Option<&[u8]>]) -> Bytes {
        let mut out = BytesMut::new();
        if head {
            out.extend_from_slice(SIGNATURE);
            out.put_u32(0);
            out.put_u32(2);
            out.extend_from_slice(b"xy");
        }
        out.put_i16(i16::try_from(fields.len()).expect("few fields"));
        for field in fields {
            match field {
                Some(value) => {
                    out.put_i32(i32::try_from(value.len()).expect("short"));
                    out.extend_from_slice(value);
                }
                None => out.put_i32(-1),
            }
        }
        out.freeze()
    }

    #[test]
    fn a_batch_of_nulls_goes_over_as_null_in_columns_of_compressed_rows_only() {
        let mut batches = NullBatches { columns: vec![1, 3], format: Format::Binary, replaced: 0 };
        let of = |second| row(true, &[Some(&[6]), second, None, Some(&[6, 0])]);
        assert_eq!(batches.rows(of(Some(&[6]))), of(None));
        let plain = row(false, &[Some(&[6]), None, Some(&[6]), Some(&[])]);
        assert_eq!(batches.rows(plain.clone()), plain);
        let end = Bytes::from_static(&[0xff, 0xff]);
        assert_eq!(batches.rows(end.clone()), end);
        let cut = of(Some(&[6])).slice(..25);
        assert_eq!(batches.rows(cut.clone()), cut, "what is not understood goes over as it is");
        assert_eq!(batches.replaced(), 1);
        // As many as were at hand come at once, the end too.
        let many = |second| {
            let next = row(false, &[None, second, Some(b"x"), second]);
            Bytes::from([of(second), next.clone(), next, end.clone()].concat())
        };
        assert_eq!(batches.rows(many(Some(&[6]))), many(None));
        assert_eq!(batches.replaced(), 6);
    }

    #[test]
    fn the_same_as_text() {
        let mut batches = NullBatches { columns: vec![1, 2], format: Format::Text, replaced: 0 };
        let line = |text: &'static str| Bytes::from_static(text.as_bytes());
        assert_eq!(batches.rows(line("Bg==\tBg==\tBgA=\n")), line("Bg==\t\\N\tBgA=\n"));
        assert_eq!(batches.rows(line("Bg==\tx\tBg==")), line("Bg==\tx\t\\N"));
        assert_eq!(batches.rows(line("Bg==\tBg==\nx\tBg==\tBg==\n")), line("Bg==\t\\N\nx\t\\N\t\\N\n"));
        assert_eq!(batches.replaced(), 5);
        let rows: &[u8] = b"Bg==\tBg==\nx\tBg==\tBg==\n";
        let mut read = String::new();
        let batches = NullBatches { columns: vec![1, 2], format: Format::Text, replaced: 0 };
        BufReader::with_capacity(3, batches.reading(rows)).read_to_string(&mut read).expect("text");
        assert_eq!(read, "Bg==\t\\N\nx\t\\N\t\\N\n");
    }
}
