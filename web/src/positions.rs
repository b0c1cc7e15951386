//! Between a dump's bytes and an editor's text: editors count UTF-16 code units.

use wasm_bindgen::prelude::wasm_bindgen;

/// The text of a dump as an editor shows it. A byte that is not UTF-8 becomes one U+FFFD of its own.
#[wasm_bindgen]
#[must_use]
pub fn decode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    out
}

/// The places of byte offsets in the text of [`decode`], in UTF-16 code units. The offsets are in order; one inside of a
/// character counts as its start, one behind the end as the end.
#[wasm_bindgen]
#[must_use]
pub fn positions(bytes: &[u8], offsets: &[u32]) -> Vec<u32> {
    let mut wanted = offsets.iter().copied().peekable();
    let mut out = Vec::with_capacity(offsets.len());
    let (mut at, mut units) = (0_u32, 0_u32);
    let mut step = |length: usize, more: usize| {
        let next = at.saturating_add(u32::try_from(length).unwrap_or(u32::MAX));
        while wanted.next_if(|offset| *offset < next).is_some() {
            out.push(units);
        }
        at = next;
        units = units.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
    };
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|c| step(c.len_utf8(), c.len_utf16()));
        chunk.invalid().iter().for_each(|_| step(1, 1));
    }
    out.resize(offsets.len(), units);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_become_places_in_the_decoded_text() {
        let bytes = b"a\xc3\xa9\xf0\x9f\x90\x98\xff\xfeb";
        assert_eq!(decode(bytes), "aé🐘\u{fffd}\u{fffd}b");
        assert_eq!(positions(bytes, &[0, 1, 2, 3, 7, 8, 9, 10, 99]), [0, 1, 1, 2, 4, 5, 6, 7, 7]);
    }
}
