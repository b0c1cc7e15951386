//! Numbers and names as people read them.

use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Bytes in a second: `85.0 MB/s`.
#[must_use]
pub fn rate(number: u64) -> String {
    format!("{}/s", bytes(number))
}

/// A whole number of percent, never more than 100.
#[must_use]
pub fn percent(moved: u64, whole: u64) -> u64 {
    if whole == 0 {
        100
    } else {
        u64::try_from(u128::from(moved) * 100 / u128::from(whole)).unwrap_or(100).min(100)
    }
}

/// A length of time in its two largest units: `0.3 s`, `12 s`, `1 min 20 s`, `2 h 5 min`, `3 d 4 h`.
#[must_use]
pub fn duration(took: Duration) -> String {
    let seconds = took.as_secs();
    let two = |large: u64, unit: &str, small: u64, minor: &str| match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {minor}"),
    };
    match seconds {
        0..10 => format!("{}.{} s", seconds, took.subsec_millis() / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..86400 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => two(seconds / 86400, "d", seconds % 86400 / 3600, "h"),
    }
}

/// The same of what still moves: no tenths, which would never stand still.
#[must_use]
pub fn passing(took: Duration) -> String {
    let seconds = took.as_secs();
    if seconds < 10 { format!("{seconds} s") } else { duration(took) }
}

pub use tsmigrate_analyzer::clean::{line, text as clean};
pub use tsmigrate_analyzer::human::{bytes, count, part, plural, thousands};

/// `no errors`, `1 error`, `2,000 errors`.
#[must_use]
pub fn count_or_no(number: u64, noun: &str) -> String {
    if number == 0 { format!("no {noun}s") } else { count(number, noun) }
}

/// The first of these names; `…` stands for the rest.
#[must_use]
pub fn first<T: std::fmt::Display>(names: impl IntoIterator<Item = T>, most: usize) -> String {
    let mut names = names.into_iter();
    let mut shown: Vec<String> = names.by_ref().take(most).map(|name| name.to_string()).collect();
    shown.extend(names.next().map(|_| "…".to_owned()));
    shown.join(", ")
}

/// Columns of a terminal that `text` takes.
#[must_use]
pub fn width(text: &str) -> usize {
    text.width()
}

/// The beginning of `text` that fits into `columns`; `…` stands for the rest.
#[must_use]
pub fn clip(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used >= columns {
            break;
        }
        out.push(c);
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

/// `text` in exactly `columns`: cut, or followed by blanks.
#[must_use]
pub fn fit(text: &str, columns: usize) -> String {
    let text = clip(text, columns);
    let blanks = columns.saturating_sub(width(&text));
    text + &" ".repeat(blanks)
}

/// `head` and `text` in lines of at most `columns`, the second and later ones set in as far as `head` is wide.
/// Words longer than a line stay whole.
#[must_use]
pub fn hang(head: &str, text: &str, columns: usize) -> Vec<String> {
    let indent = width(head);
    let mut lines = Vec::new();
    let mut line = head.to_owned();
    let mut empty = true;
    for word in text.split(' ') {
        if !empty && width(&line) + 1 + width(word) > columns {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line);
    lines
}

/// Columns between those of a table of cells.
const GAP: usize = 3;

/// Cells, each of which takes `cell` columns, as lines of `columns`: down first, in as many columns as there is room for.
#[must_use]
pub fn in_columns(cells: &[String], cell: usize, columns: usize) -> Vec<String> {
    let across = ((columns + GAP) / (cell + GAP)).max(1);
    let rows = cells.len().div_ceil(across);
    (0..rows)
        .map(|row| cells.iter().skip(row).step_by(rows).cloned().collect::<Vec<_>>().join(&" ".repeat(GAP)))
        .collect()
}

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;

    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_three_digits() {
        for (number, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.00 kB"),
            (12_560, "12.5 kB"),
            (999_999, "999 kB"),
            (1_000_000, "1.00 MB"),
            (125_000_000_000, "125 GB"),
            (u64::MAX, "18446 PB"),
        ] {
            assert_eq!(bytes(number), text);
        }
        assert_eq!(part(1_250_000, 4_000_000_000), "0.00 of 4.00 GB");
        assert_eq!(part(3_999_999_999, 4_000_000_000), "3.99 of 4.00 GB");
        assert_eq!(percent(3_999_999_999, 4_000_000_000), 99);
        assert_eq!(percent(7, 0), 100);
    }

    #[test]
    fn times_have_two_units() {
        for (milliseconds, text) in [
            (0, "0.0 s"),
            (9_999, "9.9 s"),
            (33_400, "33 s"),
            (80_000, "1 min 20 s"),
            (3_600_000, "1 h"),
            (7_500_000, "2 h 5 min"),
            (273_600_000, "3 d 4 h"),
        ] {
            assert_eq!(duration(Duration::from_millis(milliseconds)), text);
        }
        assert_eq!(passing(Duration::from_millis(9_999)), "9 s");
    }

    #[test]
    fn wide_characters_are_cut_by_columns() {
        assert_eq!(clip("sales.orders", 20), "sales.orders");
        assert_eq!(clip("sales.orders", 7), "sales.…");
        assert_eq!(clip("表表表表", 5), "表表…");
        assert_eq!(fit("表", 4), "表  ");
        assert_eq!(clip("abc", 0), "");
    }

    #[test]
    fn long_text_hangs_under_its_head() {
        assert_eq!(hang("1. ", "data of all tables", 12), ["1. data of", "   all", "   tables"]);
        assert_eq!(hang("", "unbreakable_word x", 5), ["unbreakable_word", "x"]);
        assert_eq!(hang("- ", "", 5), ["- "]);
    }

    #[test]
    fn a_name_stays_in_its_line_and_steers_nothing() {
        let text = line("a\nb\u{1b}[2Jc\rd\u{202e}");
        assert!(!text.contains(['\n', '\r', '\u{1b}', '\u{202e}']), "{text:?}");
    }
}
