//! Many names that are known when the program is built, ready without a copy of any.

use std::cmp::Ordering;

use serde::{Deserialize, Deserializer};

/// A set of names that lie in the program itself: in the order of their bytes, with semicolons between them. Nothing is made
/// of them before they are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(&'static str);

impl From<&'static str> for Names {
    fn from(names: &'static str) -> Self {
        debug_assert!(names.split(';').is_sorted(), "not in order: {names:?}");
        Self(names)
    }
}

impl<'de: 'static> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&'de str>::deserialize(deserializer).map(Self::from)
    }
}

/// Names as above, but each begins with a letter that says how many bytes of the one before it begins with (`a`: none), and
/// goes on with the rest: long lists are a tenth smaller when they are compressed, too.
pub(super) fn shortened<'de: 'static, D: Deserializer<'de>>(from: D) -> Result<Names, D::Error> {
    let text = <&'static str>::deserialize(from)?;
    let mut all = Vec::with_capacity(2 * text.len());
    let mut before = 0;
    for name in text.split(';').filter(|name| !name.is_empty()) {
        let (shared, rest) = name.split_at_checked(1).unwrap_or_default();
        let shared = usize::from(shared.bytes().next().unwrap_or(b'a').saturating_sub(b'a'));
        if !all.is_empty() {
            all.push(b';');
        }
        let start = all.len();
        // No more than the name before has: it ends where this one starts.
        all.extend_from_within(before..(before + shared).min(start));
        all.extend_from_slice(rest.as_bytes());
        before = start;
    }
    // As long as the program runs, like the text itself.
    std::str::from_utf8(all.leak()).map(Names::from).map_err(serde::de::Error::custom)
}

impl Names {
    /// True where the name is one of them.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        let (bytes, name) = (self.0.as_bytes(), name.as_bytes());
        if name.is_empty() {
            return false;
        }
        // Names lie from `low` on and end before `high`.
        let (mut low, mut high) = (0, bytes.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let start = memchr::memrchr(b';', &bytes[low..middle]).map_or(low, |at| low + at + 1);
            let end = memchr::memchr(b';', &bytes[middle..high]).map_or(high, |at| middle + at);
            match bytes[start..end].cmp(name) {
                Ordering::Equal => return true,
                Ordering::Less => low = end + 1,
                Ordering::Greater => high = start.saturating_sub(1),
            }
        }
        false
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &'static str> {
        self.0.split(';').filter(|name| !name.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_found_and_no_other() {
        for text in ["", "a", "a;b", "a;ab;b", "b;bb;bbb;c;long name;z"] {
            let names = Names::from(text);
            assert!(names.iter().all(|name| names.contains(name)), "{text}");
            for other in ["", ";", "0", "aa", "bbbb", "a;b", "long", "zz"] {
                assert_eq!(names.contains(other), names.iter().any(|name| name == other), "{text}: {other}");
            }
        }
    }
}
