//! Where a text is shown: its width, colours and signs.

use std::io::{self, IsTerminal};

use anstyle::{AnsiColor, Style};
use tsmigrate_analyzer::Severity;

/// Where a text is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    pub(super) color: bool,
    pub(super) unicode: bool,
    /// Columns.
    pub(super) width: usize,
}

impl Page {
    /// The standard output.
    pub(super) fn stdout() -> Self {
        let color = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
        Self::new(color, io::stdout().is_terminal())
    }

    /// The standard error.
    pub(super) fn stderr() -> Self {
        let color = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
        Self::new(color, io::stderr().is_terminal())
    }

    /// A file.
    pub(super) fn file() -> Self {
        Self::new(false, false)
    }

    fn new(color: bool, terminal: bool) -> Self {
        let columns = terminal_size::terminal_size().map(|(columns, _)| usize::from(columns.0));
        let width = columns.filter(|_| terminal).unwrap_or(100).clamp(40, 120);
        Self { color, unicode: terminal && speaks_utf8(), width }
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Text that stands out.
    pub(super) fn bold(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    /// Text that steps back.
    pub(super) fn dim(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    /// Something to type.
    pub(super) fn command(self, text: &str) -> String {
        self.paint(AnsiColor::Cyan.on_default(), text)
    }

    /// Something bad.
    pub(super) fn red(self, text: &str) -> String {
        self.paint(AnsiColor::BrightRed.on_default().bold(), text)
    }

    /// Something doubtful.
    pub(super) fn yellow(self, text: &str) -> String {
        self.paint(AnsiColor::Yellow.on_default().bold(), text)
    }

    /// Something good.
    pub(super) fn green(self, text: &str) -> String {
        self.paint(AnsiColor::BrightGreen.on_default().bold(), text)
    }

    /// A severity in its colour.
    pub(super) fn severity(self, severity: Severity, text: &str) -> String {
        match severity {
            Severity::Error => self.red(text),
            Severity::Warning => self.yellow(text),
            Severity::Note => self.paint(AnsiColor::BrightBlue.on_default().bold(), text),
        }
    }
}

fn speaks_utf8() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| {
        std::env::var(name).ok().filter(|value| !value.is_empty()).map(|value| value.to_ascii_lowercase())
    });
    locale.is_some_and(|locale| locale.contains("utf-8") || locale.contains("utf8"))
}

/// `text` in lines of at most `width` columns; words longer than that stay whole.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        let mut columns = 0;
        for word in paragraph.split(' ').filter(|word| !word.is_empty()) {
            let length = word.chars().count();
            if columns > 0 && columns + 1 + length > width {
                lines.push(std::mem::take(&mut line));
                columns = 0;
            }
            if columns > 0 {
                line.push(' ');
                columns += 1;
            }
            line.push_str(word);
            columns += length;
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_at_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a-very-long-word b", 5), ["a-very-long-word", "b"]);
        assert_eq!(wrap("a\nb", 5), ["a", "b"]);
    }
}
