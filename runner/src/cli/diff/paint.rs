//! The colours of a diff.

use anstyle::{AnsiColor, Reset, Style};

/// Paints the lines of one file's diff as they come by, in pieces of any length.
#[derive(Debug, Default)]
pub(in super::super) struct Paint {
    /// The head is over: a line of dashes is one that goes.
    in_hunk: bool,
    in_line: bool,
}

impl Paint {
    /// The same text in colours.
    pub(in super::super) fn paint(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + text.len() / 4);
        for line in text.split_inclusive('\n') {
            if !self.in_line {
                self.in_hunk |= line.starts_with('@');
                out += &self.style(line).render().to_string();
            }
            let (words, end) = line.strip_suffix('\n').map_or((line, ""), |words| (words, "\n"));
            out += words;
            self.in_line = end.is_empty();
            if !self.in_line {
                out += &Reset.render().to_string();
            }
            out += end;
        }
        out
    }

    fn style(&self, line: &str) -> Style {
        match line.as_bytes().first() {
            _ if !self.in_hunk => Style::new().bold(),
            Some(b'@') => AnsiColor::Cyan.on_default(),
            Some(b'+') => AnsiColor::Green.on_default(),
            Some(b'-') => AnsiColor::Red.on_default(),
            Some(b'\\') => Style::new().dimmed(),
            _ => Style::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_painted_whatever_pieces_they_come_in() {
        let diff = "--- a\n+++ a\n@@ -1 +1 @@\n x\n--- a comment that goes\n+b\n\\ No newline\n";
        let whole = Paint::default().paint(diff);
        let mut paint = Paint::default();
        let pieces: String = diff.chars().map(|c| paint.paint(&c.to_string())).collect();
        assert_eq!(whole, pieces);
        assert_eq!(anstream::adapter::strip_str(&whole).to_string(), diff);
        assert!(whole.contains("\u{1b}[31m--- a comment") && whole.contains("\u{1b}[32m+b"), "{whole:?}");
        assert!(whole.starts_with("\u{1b}[1m--- a"), "{whole:?}");
    }
}
