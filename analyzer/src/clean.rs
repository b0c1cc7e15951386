//! Text of dumps, servers and people as a terminal, a page or a log may show it: nothing in it steers what shows it.
//!
//! A name may hold an escape sequence that moves the cursor, a character that turns the direction of reading round, or
//! one that is not seen. They are shown in place of being obeyed. What is written as a dump is not changed.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

use serde_json::ser::Formatter;

/// True for a character that steers how text is shown, or is not seen at all: controls, marks of direction, separators
/// of lines, blanks without a width, tags. Joiners, which some scripts are written with, are none.
#[must_use]
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Adds what is shown of a character: its picture (`␛`), its number (`\u{202e}`), or itself.
pub fn push(out: &mut String, c: char) {
    match c {
        '\0'..='\u{1f}' => out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}')),
        '\u{7f}' => out.push('\u{2421}'),
        c if steers(c) => {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
        c => out.push(c),
    }
}

/// Text in lines of its own; line ends and tabs stay.
///
/// ```
/// assert_eq!(tsmigrate_analyzer::clean::text("a\u{1b}[2J\r\n\tb\u{202e}"), "a␛[2J␍\n\tb\\u{202e}");
/// ```
#[must_use]
pub fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\n' | '\t') { out.push(c) } else { push(&mut out, c) }
    }
    out
}

/// Text in one line.
///
/// ```
/// assert_eq!(tsmigrate_analyzer::clean::line("a\nb\t"), "a␊b␉");
/// ```
#[must_use]
pub fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| push(&mut out, c));
    out
}

/// Bytes that come in pieces, as text for a terminal: a character may be cut in two, and need not be one.
#[derive(Debug, Default)]
pub struct Cleaner {
    held: Vec<u8>,
}

impl Cleaner {
    /// What is shown of the next bytes.
    #[must_use]
    pub fn feed(&mut self, bytes: &[u8]) -> String {
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(bytes);
        let mut out = String::with_capacity(held.len());
        let mut chunks = held.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            out.push_str(&text(chunk.valid()));
            let invalid = chunk.invalid();
            // The beginning of a character: its end may come.
            if chunks.peek().is_none() && is_beginning(invalid) {
                self.held = invalid.to_vec();
            } else {
                push_bytes(&mut out, invalid);
            }
        }
        out
    }

    /// What is shown of the rest, where nothing comes any more.
    #[must_use]
    pub fn finish(&mut self) -> String {
        let mut out = String::new();
        push_bytes(&mut out, &std::mem::take(&mut self.held));
        out
    }
}

fn is_beginning(bytes: &[u8]) -> bool {
    let length = match bytes.first() {
        Some(0xc2..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf4) => 4,
        _ => return false,
    };
    bytes.len() < length
}

fn push_bytes(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(out, "\\x{byte:02x}");
    }
}

/// JSON in which every character that steers is written as `\u…`: the same value for programs, and harmless for those who
/// look at it.
#[derive(Debug, Default)]
pub struct Json<F>(pub F);

/// A value as JSON on one line.
///
/// # Errors
/// When it is none, or cannot be written.
pub fn json(value: &impl serde::Serialize, out: &mut impl io::Write) -> serde_json::Result<()> {
    let formatter = Json(serde_json::ser::CompactFormatter);
    value.serialize(&mut serde_json::Serializer::with_formatter(out, formatter))
}

/// A value as JSON in lines.
///
/// # Errors
/// When it is none, or cannot be written.
pub fn pretty_json(value: &impl serde::Serialize, out: &mut impl io::Write) -> serde_json::Result<()> {
    let formatter = Json(serde_json::ser::PrettyFormatter::new());
    value.serialize(&mut serde_json::Serializer::with_formatter(out, formatter))
}

/// A piece of a string of JSON with what steers as escapes.
#[must_use]
pub fn escaped(fragment: &str) -> Cow<'_, str> {
    let is_plain = fragment.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if is_plain || !fragment.contains(steers) {
        return Cow::Borrowed(fragment);
    }
    let mut out = String::with_capacity(fragment.len());
    for c in fragment.chars() {
        if steers(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

impl<F: Formatter> Formatter for Json<F> {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        self.0.write_string_fragment(writer, &escaped(fragment))
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_shown_and_all_else_stays() {
        let hostile = "a\u{1b}[31m\u{7}\r\u{9b}2J\u{202e}\u{2066}\u{200b}\u{e0041}\u{7f}\u{2028}b";
        let shown = text(hostile);
        assert_eq!(shown, "a␛[31m␇␍\\u{9b}2J\\u{202e}\\u{2066}\\u{200b}\\u{e0041}␡\\u{2028}b");
        let plain = "größe 表 👩\u{200d}👩 नमस्ते می\u{200c}خواهم";
        assert_eq!(text(plain), plain);
        assert!(!line("a\nb\u{85}").contains(steers));
    }

    #[test]
    fn a_character_may_come_in_pieces() {
        let bytes = "é表👩\u{9b}x\u{1b}".as_bytes();
        for size in 1..bytes.len() {
            let mut cleaner = Cleaner::default();
            let mut shown: String = bytes.chunks(size).map(|chunk| cleaner.feed(chunk)).collect();
            shown += &cleaner.finish();
            assert_eq!(shown, "é表👩\\u{9b}x␛", "{size}");
        }
        let mut cleaner = Cleaner::default();
        assert_eq!(cleaner.feed(b"a\x9b\xe9b\xe8") + &cleaner.finish(), "a\\x9b\\xe9b\\xe8");
    }

    #[test]
    fn json_keeps_its_value_and_steers_nothing() {
        let value = serde_json::json!({ "a\u{9b}": ["x\u{202e}\u{1b}\u{e0041}\u{7f}é", 1, {}] });
        let (mut one, mut lines) = (Vec::new(), Vec::new());
        json(&value, &mut one).unwrap();
        pretty_json(&value, &mut lines).unwrap();
        for out in [one, lines] {
            let written = String::from_utf8(out).unwrap();
            assert!(!written.replace('\n', "").contains(steers), "{written}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), value);
        }
    }
}
