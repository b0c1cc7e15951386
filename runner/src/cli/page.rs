//! Where a text is shown: its width, colours and signs.

use std::io::{self, IsTerminal};

use anstyle::{AnsiColor, Style};
use tsmigrate_analyzer::Severity;
use tsmigrate_analyzer::rule::Rule;

/// Where a text is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    pub(super) color: bool,
    pub(super) unicode: bool,
    /// The terminal follows links (OSC 8).
    pub(super) links: bool,
    /// Columns.
    pub(super) width: usize,
}

impl Page {
    /// The standard output.
    pub(super) fn stdout() -> Self {
        let color = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
        let terminal = io::stdout().is_terminal();
        let links = terminal && color && supports_hyperlinks::on(supports_hyperlinks::Stream::Stdout);
        Self { links, ..Self::new(color, terminal) }
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
        Self { color, unicode: terminal && speaks_utf8(), links: false, width }
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Text that leads to a page.
    pub(super) fn link(self, url: &str, text: &str) -> String {
        let is_plain = |byte: u8| byte.is_ascii_graphic();
        if self.links && url.bytes().all(is_plain) {
            format!("\u{1b}]8;;{url}\u{1b}\\{text}\u{1b}]8;;\u{1b}\\")
        } else {
            text.to_owned()
        }
    }

    /// Text that leads to the page on a rule, of a rule that has one.
    pub(super) fn rule(self, id: &str, text: &str) -> String {
        let url = tsmigrate_analyzer::rules::rule(id).map_or("".into(), Rule::link);
        if url.is_empty() { text.to_owned() } else { self.link(&url, text) }
    }

    /// Text that leads to a file on this machine.
    pub(super) fn file_link(self, file: &str, text: &str) -> String {
        match std::path::absolute(file) {
            Ok(path) if self.links => self.link(&file_url(&path), text),
            _ => text.to_owned(),
        }
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

/// The address of a file: what an address cannot hold is written as numbers.
fn file_url(path: &std::path::Path) -> String {
    use std::fmt::Write as _;
    let mut url = String::from("file://");
    if cfg!(windows) {
        url.push('/');
    }
    for byte in path.as_os_str().as_encoded_bytes() {
        if cfg!(windows) && *byte == b'\\' {
            url.push('/');
        } else if byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte) {
            url.push(char::from(*byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url
}

fn speaks_utf8() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| {
        std::env::var(name).ok().filter(|value| !value.is_empty()).map(|value| value.to_ascii_lowercase())
    });
    locale.is_some_and(|locale| locale.contains("utf-8") || locale.contains("utf8"))
}

/// `text` in lines of at most `width` columns; words longer than that stay whole.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let words = |line: &str| line.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    text.lines().flat_map(|line| tsmigrate::human::hang("", &words(line), width)).collect()
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

    #[test]
    fn a_link_names_the_file_and_shows_the_text() {
        let page = Page { color: true, unicode: true, links: true, width: 80 };
        let shown = page.file_link("/tmp/a b\u{1b}.sql", "a b:1:2");
        assert_eq!(shown, "\u{1b}]8;;file:///tmp/a%20b%1B.sql\u{1b}\\a b:1:2\u{1b}]8;;\u{1b}\\");
        assert_eq!(page.link("not an address", "x"), "x");
        assert_eq!(Page { links: false, ..page }.file_link("/a", "a"), "a");
    }
}
