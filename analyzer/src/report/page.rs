//! What every page of tsmigrate is made of: its style, the view of results, and text that stays text.

use std::fmt::Write as _;
use std::iter;

use super::Choice;
use super::view::Item;
pub use super::view::{InPage, RuleWords};
use crate::clean;

/// The style of a page: light, dark, printed, narrow. `web/view/build.mjs` makes it and the view, and a test proves that
/// these are what it makes.
pub const STYLE: &str = include_str!("view/view.css");
/// What a content security policy calls it: its SHA-256.
pub const STYLE_DIGEST: &str = include_str!("view/view.css.sha256");
/// The view of a result: it draws what stands in the page as JSON, in the element `data`, into the elements
/// `view-decisions`, `view-lost` and `view-findings`.
pub const VIEW: &str = include_str!("view/view.js");
/// Its SHA-256.
pub const VIEW_DIGEST: &str = include_str!("view/view.js.sha256");

/// What the view shows of a finding.
#[must_use]
pub fn finding(entry: &super::Entry<'_>) -> serde_json::Value {
    serde_json::to_value(Item::of(entry)).unwrap_or_default()
}

/// What a page shows of a decision where its program does not run.
pub fn decision(page: &mut String, title: &str, blocks: u64, choices: &[Choice]) {
    let command = |it: &str| format!("<code>{}</code>", text(it));
    let _ = write!(page, "<li><b>{}</b> ({})<ul>", text(title), crate::human::count(blocks, "error"));
    for choice in choices {
        let _ = write!(page, "<li>{}</li>", choice.written(text, command));
    }
    *page += "</ul></li>\n";
}

/// Lines to copy, at the end of `page`.
pub fn copyable(page: &mut String, lines: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(page, "<div class=\"block copyable\"><pre tabindex=\"0\">{}</pre></div>", text(lines));
}

/// A sentence with a capital letter.
#[must_use]
pub fn capital(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars
        .next()
        .map(|first| iter::once(first.to_ascii_uppercase()).chain(chars).collect())
        .unwrap_or_default()
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
