//! Pieces of the report's page: sections, lists and tables. Every name in them is text.

use std::fmt::Write as _;

use tsmigrate_analyzer::report::page::{capital, copyable, text};

use crate::human::thousands;

/// Rows of a table that are shown at once.
const AT_ONCE: usize = 25;
/// Rows of a table in a page: more make it slow to open. The JSON has all.
pub(super) const ROWS: usize = 2000;

/// A cell of a table.
pub(super) enum Cell {
    Text(String),
    Number(String),
    Code(String),
}

pub(super) fn begin(page: &mut String, id: &str, title: &str) {
    let _ = writeln!(
        page,
        "<section id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h2 id=\"{id}-title\">{}</h2>",
        text(title)
    );
}

/// Sentences, and commands to copy: those are set in, or end a sentence with a colon before them.
pub(super) fn steps(page: &mut String, lines: &[String]) {
    for line in lines {
        let is_command = line.starts_with("  ") || line.trim_end().ends_with(';');
        if is_command {
            copyable(page, line.trim());
        } else if let Some((what, command)) = line.split_once(": tsmigrate ") {
            let _ = writeln!(page, "<p>{}:</p>", text(&capital(what)));
            copyable(page, &format!("tsmigrate {command}"));
        } else {
            let _ = writeln!(page, "<p>{}</p>", text(&capital(line)));
        }
    }
}

pub(super) fn bullets(page: &mut String, lines: &[impl AsRef<str>]) {
    if lines.is_empty() {
        return;
    }
    *page += "<div class=\"card long\"><ul class=\"plain\">\n";
    for line in lines.iter().take(ROWS) {
        let _ = writeln!(page, "<li>{}</li>", text(line.as_ref()));
    }
    *page += "</ul>\n";
    more(page, lines.len());
    *page += "</div>\n";
}

pub(super) fn more(page: &mut String, number: usize) {
    if let Some(more) = number.checked_sub(ROWS).filter(|more| *more > 0) {
        let _ =
            writeln!(page, "<p class=\"quiet\">… and {} more, in report.json.</p>", thousands(more as u64));
    }
}

pub(super) fn table(page: &mut String, head: &[&str], rows: Vec<Vec<Cell>>) {
    let number = rows.len();
    let mut rows = rows.into_iter().take(ROWS);
    part(page, head, rows.by_ref().take(AT_ONCE).collect());
    let rest: Vec<_> = rows.collect();
    if !rest.is_empty() {
        let _ = writeln!(
            page,
            "<details class=\"part\"><summary>{} more</summary>",
            thousands(rest.len() as u64)
        );
        part(page, head, rest);
        *page += "</details>\n";
    }
    more(page, number);
}

/// One line of a list with a bar: where it begins and how long it is, as parts of the whole.
pub(super) fn bar(page: &mut String, class: &str, label: &str, words: &str, begun: f64, length: f64) {
    let x = (begun * 1000.0).clamp(0.0, 998.0);
    // What was short is still seen.
    let width = (length * 1000.0).clamp(2.0, 1000.0 - x);
    let _ = writeln!(
        page,
        "<div class=\"line\"><dt>{}</dt><dd class=\"took\">{}</dd><dd class=\"bar {class}\"><svg viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect x=\"{x:.1}\" y=\"0\" width=\"{width:.1}\" height=\"10\"/></svg></dd></div>",
        text(label),
        text(words)
    );
}

fn part(page: &mut String, head: &[&str], rows: Vec<Vec<Cell>>) {
    *page += "<div class=\"card table\" tabindex=\"0\"><table>\n<thead><tr>";
    for (column, word) in head.iter().enumerate() {
        let number =
            rows.first().and_then(|row| row.get(column)).is_some_and(|cell| matches!(cell, Cell::Number(_)));
        let class = if number { " class=\"number\"" } else { "" };
        let _ = write!(page, "<th scope=\"col\"{class}>{}</th>", text(word));
    }
    *page += "</tr></thead>\n<tbody>\n";
    for row in rows {
        *page += "<tr>";
        for cell in row {
            let _ = match cell {
                Cell::Text(words) => write!(page, "<td>{}</td>", text(&words)),
                Cell::Number(words) => write!(page, "<td class=\"number\">{}</td>", text(&words)),
                Cell::Code(words) => write!(page, "<td class=\"name\"><code>{}</code></td>", text(&words)),
            };
        }
        *page += "</tr>\n";
    }
    *page += "</tbody></table></div>\n";
}
