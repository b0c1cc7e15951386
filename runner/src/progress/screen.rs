//! Lines at the bottom of a terminal that are written over in their place.

use std::fmt::Write as _;

use crate::human;

/// What was drawn last.
#[derive(Debug, Default)]
pub(super) struct Screen {
    /// Columns that each line takes.
    drawn: Vec<usize>,
    columns: usize,
    text: String,
}

impl Screen {
    /// What has to be written so that `above` has scrolled up and `lines` stand below it; nothing where all stays
    /// as it is. It is to be written at once: the terminal then never shows a half of it.
    pub(super) fn draw(&mut self, above: &str, lines: &[String], columns: usize) -> String {
        let mut text = String::new();
        for line in lines {
            // Each line clears what was longer in its place, and nothing is blank in between.
            let _ = write!(text, "{line}\x1b[K\r\n");
        }
        let nothing = text.is_empty() && self.drawn.is_empty();
        if above.is_empty() && (nothing || text == self.text && columns == self.columns) {
            return String::new();
        }
        let mut out = String::new();
        match self.rows(columns) {
            0 => {}
            rows => {
                let _ = write!(out, "\r\x1b[{rows}A");
            }
        }
        if columns != self.columns && !self.drawn.is_empty() {
            out.push_str("\x1b[J");
        }
        for line in above.lines() {
            let _ = write!(out, "{line}\x1b[K\r\n");
        }
        out.push_str(&text);
        if !self.drawn.is_empty() {
            out.push_str("\x1b[J");
        }
        self.drawn =
            lines.iter().map(|line| human::width(&anstream::adapter::strip_str(line).to_string())).collect();
        self.columns = columns;
        self.text = text;
        out
    }

    /// Rows from the first line to the cursor. A terminal that has become narrower has broken its lines.
    fn rows(&self, columns: usize) -> usize {
        let columns = columns.max(1);
        self.drawn.iter().map(|width| width.div_ceil(columns).max(1)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_stays_is_not_written_again() {
        let mut screen = Screen::default();
        assert_eq!(screen.draw("", &lines(&["a", "b"]), 80), "a\x1b[K\r\nb\x1b[K\r\n");
        assert_eq!(screen.draw("", &lines(&["a", "b"]), 80), "");
        assert_eq!(screen.draw("", &lines(&["a", "c"]), 80), "\r\x1b[2Aa\x1b[K\r\nc\x1b[K\r\n\x1b[J");
    }

    #[test]
    fn finished_lines_scroll_above_and_the_end_leaves_nothing() {
        let mut screen = Screen::default();
        screen.draw("", &lines(&["a"]), 80);
        assert_eq!(screen.draw("done", &lines(&["a"]), 80), "\r\x1b[1Adone\x1b[K\r\na\x1b[K\r\n\x1b[J");
        assert_eq!(screen.draw("", &[], 80), "\r\x1b[1A\x1b[J");
        assert_eq!(screen.draw("", &[], 80), "");
        assert_eq!(screen.draw("last", &[], 80), "last\x1b[K\r\n");
    }

    #[test]
    fn a_narrower_terminal_has_broken_the_lines() {
        let mut screen = Screen::default();
        screen.draw("", &lines(&["0123456789", "\x1b[1mabc\x1b[0m"]), 80);
        assert!(screen.draw("", &lines(&["x"]), 4).starts_with("\r\x1b[4A\x1b[J"));
    }
}
