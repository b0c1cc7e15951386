//! What of a large statement is not in its tree: rows and constants behind the first ones.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

/// Parts of a text, in order.
#[derive(Debug)]
pub(super) struct LeftOut {
    ranges: Vec<Range<usize>>,
    hash: u64,
}

impl LeftOut {
    /// These parts of this text.
    pub(super) fn new(sql: &str, ranges: Vec<Range<usize>>) -> Self {
        let mut hasher = DefaultHasher::new();
        for range in &ranges {
            sql.get(range.clone()).hash(&mut hasher);
        }
        Self { ranges, hash: hasher.finish() }
    }

    /// A number that differs where what is left out does.
    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    /// The text with blanks in their places: all else stands where it stood.
    pub(super) fn blanked<'t>(&self, sql: &'t str) -> Cow<'t, str> {
        if self.ranges.is_empty() {
            return Cow::Borrowed(sql);
        }
        let mut text = String::with_capacity(sql.len());
        for range in &self.ranges {
            text.push_str(sql.get(text.len()..range.start).unwrap_or_default());
            text.extend(std::iter::repeat_n(' ', range.end - text.len()));
        }
        text.push_str(sql.get(text.len()..).unwrap_or_default());
        Cow::Owned(text)
    }
}
