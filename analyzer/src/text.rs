//! Places in a dump: byte ranges, lines and columns. Bytes that are not UTF-8 survive untouched.

use serde::Serialize;

/// A half-open range of bytes, counted from the start of one input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Span {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

impl Span {
    /// The range `start..end`.
    #[must_use]
    pub const fn new(start: u64, end: u64) -> Self {
        Self { start, end }
    }

    /// Length in bytes.
    #[must_use]
    pub const fn len(self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// True where the range holds no byte.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The same range moved `offset` bytes to the right.
    #[must_use]
    pub const fn shifted(self, offset: u64) -> Self {
        Self::new(self.start + offset, self.end + offset)
    }

    /// True where the two ranges share a byte, or one is an insertion point inside the other.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
            || (self.is_empty() || other.is_empty()) && self.start > other.start && self.start < other.end
            || (other.is_empty() && other.start > self.start && other.start < self.end)
    }
}

/// A line and a column, both from 1. Columns count Unicode scalar values; a byte that is not
/// UTF-8 counts as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// Line, from 1. Lines end with LF; the CR of a CRLF belongs to the line before it.
    pub line: u64,
    /// Column, from 1.
    pub column: u32,
}

/// Where the byte at `offset` of `text` stands, given that `text` itself begins at `start`.
#[must_use]
pub fn position(text: &[u8], start: Position, offset: usize) -> Position {
    let before = &text[..offset.min(text.len())];
    match memchr::memrchr(b'\n', before) {
        None => Position { line: start.line, column: start.column.saturating_add(columns(before)) },
        Some(newline) => Position {
            line: start.line + memchr::memchr_iter(b'\n', before).count() as u64,
            column: columns(&before[newline + 1..]).saturating_add(1),
        },
    }
}

/// How many columns `text` takes: one for each Unicode scalar value, one for each stray byte.
#[must_use]
pub fn columns(text: &[u8]) -> u32 {
    let count: usize =
        text.utf8_chunks().map(|chunk| chunk.valid().chars().count() + chunk.invalid().len()).sum();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// `text` with every byte that is not UTF-8, and every NUL, replaced by one `_`, so that
/// PostgreSQL's parser takes it and every byte offset stays what it was.
#[must_use]
pub fn parseable(text: &[u8]) -> std::borrow::Cow<'_, str> {
    if memchr::memchr(0, text).is_none()
        && let Ok(valid) = std::str::from_utf8(text)
    {
        return valid.into();
    }
    let mut out = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        out.extend(chunk.valid().chars().map(|c| if c == '\0' { '_' } else { c }));
        out.extend(std::iter::repeat_n('_', chunk.invalid().len()));
    }
    out.into()
}

/// A name of an encoding as the server compares it: letters and digits count, in any case (PostgreSQL
/// src/common/encnames.c, `clean_encoding_name`).
#[must_use]
pub fn cleaned(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// What a word for on or off means, as PostgreSQL's `parse_bool` reads it: any beginning that is no beginning of the other.
///
/// ```
/// use tsmigrate_analyzer::text::parse_bool;
///
/// assert_eq!(["TR", "y", "on", "1"].map(parse_bool), [Some(true); 4]);
/// assert_eq!(["f", "No", "of", "0"].map(parse_bool), [Some(false); 4]);
/// assert_eq!(["o", "", "10", "onward"].map(parse_bool), [None; 4]);
/// ```
#[must_use]
pub fn parse_bool(word: &str) -> Option<bool> {
    let word = word.to_ascii_lowercase();
    let all = [("true", 1), ("false", 1), ("yes", 1), ("no", 1), ("on", 2), ("off", 2), ("1", 1), ("0", 1)];
    let found = all.iter().position(|(full, least)| word.len() >= *least && full.starts_with(&word))?;
    Some(found % 2 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Position = Position { line: 1, column: 1 };

    #[test]
    fn columns_count_characters_and_stray_bytes() {
        assert_eq!(position("aé\nüx".as_bytes(), START, 6), Position { line: 2, column: 2 });
        assert_eq!(position(b"a\xe9b", START, 2), Position { line: 1, column: 3 });
    }

    #[test]
    fn parseable_text_keeps_every_offset() {
        let latin9 = b"SELECT '\xe9\xa4t\0'";
        let text = parseable(latin9);
        assert_eq!(text.len(), latin9.len());
        assert_eq!(text, "SELECT '__t_'");
    }

    #[test]
    fn an_insertion_at_the_edge_of_a_range_does_not_overlap_it() {
        let range = Span::new(3, 6);
        assert!(!range.overlaps(Span::new(3, 3)));
        assert!(!range.overlaps(Span::new(6, 6)));
        assert!(range.overlaps(Span::new(4, 4)));
        assert!(range.overlaps(Span::new(5, 9)));
    }
}
