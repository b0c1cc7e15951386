//! The bytes of COPY rows: what of them is no UTF-8, wherever a chunk ends.

use crate::facts::names::{option, option_text};
use crate::facts::row_shape::RowShape;
use crate::facts::{Encoding, Facts};
use crate::parse::pg;

/// What is known of the bytes of the rows at hand.
#[derive(Debug, Default)]
pub(super) struct RowBytes {
    /// The encoding that the COPY itself declares.
    pub(super) encoding: Option<Encoding>,
    /// The first bytes of a character whose others have not come yet.
    pub(super) cut: Vec<u8>,
    /// What is invalid was reported, or does not matter.
    pub(super) settled: bool,
    /// Whether each row has its columns.
    pub(super) shape: RowShape,
    /// Where a backslash writes a byte: not in CSV and binary, nor once one was found.
    has_escapes: bool,
    /// The last byte was the first of two.
    escaped: bool,
}

impl RowBytes {
    /// For the rows of this COPY.
    pub(super) fn of(facts: &Facts, copy: &pg::CopyStmt) -> Self {
        let text = |name: &str| option(&copy.options, name).and_then(option_text);
        let format = text("format").unwrap_or("text");
        Self {
            encoding: text("encoding").map(Encoding::named),
            cut: Vec::new(),
            settled: format.eq_ignore_ascii_case("binary"),
            shape: RowShape::of(facts, copy),
            has_escapes: format.eq_ignore_ascii_case("text"),
            escaped: false,
        }
    }

    /// Where a backslash writes a byte as a number: the first digit, once. pg_dump writes none.
    pub(super) fn writes_byte(&mut self, text: &[u8]) -> Option<usize> {
        if !self.has_escapes {
            return None;
        }
        let mut next = 0;
        while let Some(rest) = text.get(next..).filter(|rest| !rest.is_empty()) {
            if !std::mem::take(&mut self.escaped) {
                let at = memchr::memchr(b'\\', rest)?;
                self.escaped = true;
                next += at;
            } else if matches!(rest.first(), Some(b'0'..=b'7' | b'x')) {
                self.has_escapes = false;
                return Some(next);
            }
            next += 1;
        }
        None
    }

    /// The place of the first bytes that are no UTF-8, and these bytes.
    pub(super) fn invalid(&mut self, text: &[u8]) -> Option<(usize, Vec<u8>)> {
        let mut rest = text;
        if let Some(&first) = self.cut.first() {
            let (head, behind) = rest.split_at(length(first).saturating_sub(self.cut.len()).min(rest.len()));
            self.cut.extend_from_slice(head);
            match std::str::from_utf8(&self.cut) {
                Ok(_) => self.cut.clear(),
                Err(error) if error.error_len().is_none() => return None,
                Err(_) => return Some((0, std::mem::take(&mut self.cut))),
            }
            rest = behind;
        }
        let error = std::str::from_utf8(rest).err()?;
        let at = error.valid_up_to();
        if error.error_len().is_none() {
            self.cut.extend_from_slice(rest.get(at..).unwrap_or_default());
            return None;
        }
        Some((text.len() - rest.len() + at, sequence(rest, at)))
    }
}

/// The bytes that the server shows of a character: as many as its first byte announces (PostgreSQL
/// src/common/wchar.c, `pg_utf_mblen`).
pub(super) fn sequence(text: &[u8], at: usize) -> Vec<u8> {
    let rest = text.get(at..).unwrap_or_default();
    let shown = rest.first().map_or(0, |first| length(*first)).min(rest.len());
    rest.get(..shown).unwrap_or_default().to_vec()
}

const fn length(first: u8) -> usize {
    match first {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => 1,
    }
}
