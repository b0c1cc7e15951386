//! Pictures of a run, drawn as SVG: nothing runs in the page. Each says in words what is seen, and has a table behind it.

#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a picture is exact to a thousandth of its width, and no number in it is negative"
)]

mod axis;
mod largest;
mod sides;
mod throughput;
mod workers;

use std::fmt::Write as _;

use tsmigrate_analyzer::report::page::text;

pub(super) use largest::largest;
pub(super) use sides::sides;
pub(super) use throughput::throughput;
pub(super) use workers::workers;

use super::pieces::{Cell, table};

/// The width of every picture, in its own units.
const WIDTH: f64 = 1000.0;

/// A picture, what it shows in words, and the same as a table.
struct Picture<'a> {
    title: &'a str,
    words: String,
    height: f64,
    /// What stands inside of the SVG.
    drawn: String,
    /// The kinds of bars, each with its class.
    legend: &'a [(&'a str, &'a str)],
    head: &'a [&'a str],
    rows: Vec<Vec<Cell>>,
}

impl Picture<'_> {
    fn write(self, page: &mut String) {
        let Picture { title, words, height, drawn, legend, head, rows } = self;
        let _ = write!(
            page,
            "<figure class=\"picture card\">\n<h3>{}</h3>\n<figcaption class=\"small\">{}</figcaption>\n",
            text(title),
            text(&words)
        );
        if legend.len() > 1 {
            *page += "<ul class=\"legend\">";
            for (class, word) in legend {
                let _ = write!(
                    page,
                    "<li><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"{class}\" width=\"10\" height=\"10\"/></svg> {}</li>",
                    text(word)
                );
            }
            *page += "</ul>\n";
        }
        let _ = writeln!(
            page,
            "<div class=\"draw\" tabindex=\"0\" role=\"group\" aria-label=\"{title}\"><svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
             aria-label=\"{words}\">\n{drawn}</svg></div>",
            title = text(title),
            words = text(&words)
        );
        *page += "<details class=\"part\"><summary>The same as a table</summary>\n";
        table(page, head, rows);
        *page += "</details>\n</figure>\n";
    }
}
