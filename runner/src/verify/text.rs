//! A comparison for people: the verdict first, then what differs, then what was looked at.

use anstyle::{AnsiColor, Reset, Style};

use super::result::{Difference, Verification};
use crate::human::{self, count, count_or_no, thousands};

/// Values longer than this are cut.
const LONG: usize = 120;

/// Columns of the list of what was compared.
const COLUMNS: usize = 3;

/// What is written of several things of a kind.
pub(crate) fn plural(kind: &str) -> String {
    match kind.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if kind.ends_with("privileges") => kind.to_owned(),
        None if kind.ends_with('s') || kind.ends_with('x') => format!("{kind}es"),
        None => format!("{kind}s"),
    }
}

impl Verification {
    /// In one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let total: usize = self.compared.values().sum();
        let differences = count_or_no(self.differences.len() as u64, "difference");
        let summed = match self.rows.summed {
            0 => String::new(),
            summed => format!(", {} by checksum", count(summed, "row")),
        };
        let not_compared = match self.rows.not_compared {
            0 => String::new(),
            number => format!(", rows of {} not compared", count(number, "table")),
        };
        format!("{} comparisons{summed}, {differences}{not_compared}", thousands(total as u64))
    }

    /// For people, without a colour.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.render().iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect()
    }

    /// For people, in colour: whoever prints it takes the colours away where no terminal is.
    #[must_use]
    pub fn render(&self) -> Vec<String> {
        let mut lines = Vec::new();
        block(&mut lines, "differences", &paint(AnsiColor::Red, "✗"), &self.differences);
        block(&mut lines, "as announced", &paint(AnsiColor::Yellow, "!"), &self.announced);
        if !self.notes.is_empty() {
            title(&mut lines, "notes");
            lines.extend(self.notes.iter().map(|note| format!("  · {}", human::line(note))));
        }
        if !self.compared.is_empty() {
            title(&mut lines, "compared");
            lines.extend(self.table());
        }
        lines
    }

    /// What was compared, in columns.
    fn table(&self) -> Vec<String> {
        let cells: Vec<_> =
            self.compared.iter().map(|(kind, count)| (thousands(*count as u64), kind.clone())).collect();
        let numbers = cells.iter().map(|(number, _)| number.len()).max().unwrap_or_default();
        let names = cells.iter().map(|(_, kind)| kind.chars().count()).max().unwrap_or_default();
        let rows = cells.len().div_ceil(COLUMNS).max(1);
        let line = |row: usize| {
            let cells = cells.iter().skip(row).step_by(rows);
            let cells: Vec<_> =
                cells.map(|(number, kind)| format!("{kind:<names$} {number:>numbers$}")).collect();
            format!("  {}", cells.join("  ").trim_end())
        };
        (0..rows).map(line).collect()
    }
}

fn paint(color: AnsiColor, text: &str) -> String {
    format!("{}{text}{Reset}", color.on_default().bold())
}

/// A heading, after an empty line where something stands before it.
fn title(lines: &mut Vec<String>, text: &str) {
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines.push(format!("{}{text}{Reset}", Style::new().bold()));
}

fn block(lines: &mut Vec<String>, heading: &str, mark: &str, differences: &[Difference]) {
    if differences.is_empty() {
        return;
    }
    title(lines, heading);
    let width = |text: &str| text.chars().count();
    let kinds = differences.iter().map(|d| width(&d.kind)).max().unwrap_or_default();
    // One long name does not push all the others away.
    let objects =
        differences.iter().map(|d| width(&human::line(&d.object)).min(40)).max().unwrap_or_default();
    for difference in differences {
        let object = human::line(&difference.object);
        let Difference { kind, .. } = difference;
        let (said, below) = values(difference);
        lines.push(format!("  {mark} {kind:<kinds$}  {object:<objects$}  {said}").trim_end().to_owned());
        let dim = Style::new().dimmed();
        let details = below.iter().chain(&difference.details);
        lines.extend(details.map(|line| format!("      {dim}{}{Reset}", human::line(line))));
    }
}

/// What was expected and what is there: on the same line where it is short, below it where it is not.
fn values(difference: &Difference) -> (String, Vec<String>) {
    let reason = difference.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    match (&difference.expected, &difference.found) {
        (Some(expected), Some(found)) => {
            let short = !expected.contains('\n')
                && !found.contains('\n')
                && expected.chars().count() + found.chars().count() <= LONG;
            // Their checksums are in the report; a person needs to know that they are not the same.
            if difference.kind.ends_with("content")
                && let Some((rows, _)) = expected.split_once(" with checksum ")
            {
                return (format!("{rows} on both servers, with other values{reason}"), Vec::new());
            }
            if short {
                return (format!("{} → {}{reason}", shown(expected), shown(found)), Vec::new());
            }
            let (line, ours, theirs) = first_difference(expected, found);
            let place = if line > 1 {
                format!("differs from line {line}{reason}")
            } else {
                format!("differs{reason}")
            };
            (place, vec![format!("- {}", cut(ours)), format!("+ {}", cut(theirs))])
        }
        (Some(_), None) => (format!("is not on the target{reason}"), Vec::new()),
        (None, _) => (format!("is on the target only{reason}"), Vec::new()),
    }
}

fn shown(value: &str) -> String {
    if value.is_empty() { "nothing".into() } else { human::line(value) }
}

/// The first line that is not the same, counted from 1.
fn first_difference<'a>(ours: &'a str, theirs: &'a str) -> (usize, &'a str, &'a str) {
    let (mut a, mut b) = (ours.lines(), theirs.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (a.next(), b.next()) {
            (None, None) => return (1, ours, theirs),
            (a, b) if a == b => {}
            (a, b) => return (number, a.unwrap_or_default(), b.unwrap_or_default()),
        }
    }
}

fn cut(line: &str) -> String {
    let line = line.trim();
    match line.char_indices().nth(LONG) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line.to_owned(),
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (said, below) = values(self);
        write!(f, "{} {}: {said}", self.kind, self.object)?;
        below.iter().chain(&self.details).try_for_each(|line| write!(f, "; {line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(expected: Option<&str>, found: Option<&str>) -> Difference {
        Difference {
            kind: "rows".into(),
            object: "app.t".into(),
            expected: expected.map(Into::into),
            found: found.map(Into::into),
            ..Difference::default()
        }
    }

    #[test]
    fn short_values_stand_on_the_line() {
        assert_eq!(difference(Some("5 rows"), Some("4 rows")).to_string(), "rows app.t: 5 rows → 4 rows");
        assert_eq!(difference(Some("5"), None).to_string(), "rows app.t: is not on the target");
        assert_eq!(difference(None, Some("")).to_string(), "rows app.t: is on the target only");
    }

    #[test]
    fn of_long_definitions_the_first_line_that_differs_is_shown() {
        let body = |last: &str| format!("BEGIN\n  one;\n  {last};\nEND");
        let text = difference(Some(&body("two")), Some(&body("three"))).to_string();
        assert_eq!(text, "rows app.t: differs from line 3; - two;; + three;");
    }

    #[test]
    fn nothing_steers_the_terminal() {
        let text = difference(Some("a\u{1b}[31m"), Some("b")).to_string();
        assert!(!human::line(&text).contains('\u{1b}'));
    }
}
