//! Places and changes of a text as editors count them: lines from 0, and characters of UTF-16 in a line.

use lsp_types::{Position, Range, TextEdit};

/// A text with the bytes at which its lines begin.
pub(super) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let behind = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(behind).collect() }
    }

    /// The place of a byte; one inside of a character counts as its first.
    pub(super) fn position(&self, byte: usize) -> Position {
        let byte =
            (0..=byte.min(self.text.len())).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0);
        let line = self.starts.partition_point(|start| *start <= byte).saturating_sub(1);
        let start = self.starts.get(line).copied().unwrap_or(0);
        let before = self.text.get(start..byte).unwrap_or_default();
        Position::new(number(line), number(before.encode_utf16().count()))
    }

    /// The byte at which a line begins, of lines that count from 1.
    pub(super) fn start(&self, line: u64) -> Option<usize> {
        self.starts.get(usize::try_from(line.checked_sub(1)?).ok()?).copied()
    }

    /// The places of two bytes.
    pub(super) fn range(&self, from: usize, to: usize) -> Range {
        Range::new(self.position(from), self.position(to.max(from)))
    }

    /// The change that makes `new` of the text, as small as one change can be; none where they are the same.
    pub(super) fn edit(&self, new: &str) -> Option<TextEdit> {
        let old = self.text;
        if old == new {
            return None;
        }
        let ahead = common(old.chars(), new.chars());
        let (old_rest, new_rest) = (old.get(ahead..)?, new.get(ahead..)?);
        let behind = common(old_rest.chars().rev(), new_rest.chars().rev());
        let end = old.len() - behind;
        let text = new_rest.get(..new_rest.len() - behind)?.to_owned();
        Some(TextEdit::new(self.range(ahead, end), text))
    }
}

/// How many bytes both begin with.
fn common(old: impl Iterator<Item = char>, new: impl Iterator<Item = char>) -> usize {
    old.zip(new).take_while(|(old, new)| old == new).map(|(same, _)| same.len_utf8()).sum()
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_utf_16() {
        let lines = Lines::new("a\né😀b\n");
        let at = |byte| (lines.position(byte).line, lines.position(byte).character);
        assert_eq!(
            [at(0), at(2), at(4), at(5), at(8), at(9), at(10)],
            [(0, 0), (1, 0), (1, 1), (1, 1), (1, 3), (1, 4), (2, 0)]
        );
    }

    #[test]
    fn a_change_is_as_small_as_one_can_be() {
        let edit = Lines::new("one\ntwo é\nthree").edit("one\ntwo ü\nthree").expect("a change");
        assert_eq!((edit.range.start, edit.range.end), (Position::new(1, 4), Position::new(1, 5)));
        assert_eq!(edit.new_text, "ü");
        assert_eq!(Lines::new("aa").edit("aaa").map(|edit| edit.new_text).as_deref(), Some("a"));
        assert!(Lines::new("a").edit("a").is_none());
    }
}
