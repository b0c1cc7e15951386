//! What every page of tsmigrate is made of: its style, and text that stays text.

use std::fmt::Write as _;

use crate::clean;

/// The style of a page: light, dark, printed, narrow.
pub const STYLE: &str = include_str!("page.css");
/// What a content security policy calls it: its SHA-256.
pub const STYLE_DIGEST: &str = "sha256-zwlhMddyQjNEFhvlPvPXhTXOAy367mjnU8O5NmOOf30=";

/// Lines to copy, at the end of `page`.
pub fn copyable(page: &mut String, lines: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(page, "<div class=\"block copyable\"><pre tabindex=\"0\">{}</pre></div>", text(lines));
}

/// A sentence with a capital letter.
#[must_use]
pub fn capital(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Text as HTML, also between quotation marks. What would steer how text is shown is shown itself.
#[must_use]
pub fn text(words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    for c in words.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c => clean::push(&mut out, c),
        }
    }
    out
}
