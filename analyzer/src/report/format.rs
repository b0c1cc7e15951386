//! The formats of a report, and what stands in it beside what was found.

use std::io;

use super::{Report, github, html, json, markdown, sarif};

/// A format that a report is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// For programs: the form of [`SCHEMA`](super::SCHEMA).
    Json,
    /// SARIF 2.1.0, for code scanning and editors.
    Sarif,
    /// Workflow commands of GitHub Actions: annotations.
    Github,
    /// One page that needs nothing else.
    Html,
    /// For comments on pull requests and for tickets.
    Markdown,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Json, Self::Sarif, Self::Github, Self::Html, Self::Markdown];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Sarif => "sarif",
            Self::Github => "github",
            Self::Html => "html",
            Self::Markdown => "markdown",
        }
    }

    /// The format with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name().eq_ignore_ascii_case(name))
    }

    /// The format of files whose names end so (without the dot).
    #[must_use]
    pub fn of_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "json" => Some(Self::Json),
            "sarif" => Some(Self::Sarif),
            "html" | "htm" => Some(Self::Html),
            "md" | "markdown" => Some(Self::Markdown),
            _ => None,
        }
    }

    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Sarif => "application/sarif+json",
            Self::Github => "text/plain",
            Self::Html => "text/html",
            Self::Markdown => "text/markdown",
        }
    }

    /// True where people read it: it may show fewer findings than there are. Programs get all of them.
    #[must_use]
    pub const fn is_for_people(self) -> bool {
        matches!(self, Self::Github | Self::Html | Self::Markdown)
    }
}

/// Something to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it does.
    pub what: String,
    /// The command that does it.
    pub command: String,
}

/// A part of a page that comes from elsewhere, such as what a migration did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its name in links: ASCII letters, digits and `-`.
    pub id: String,
    /// Its heading.
    pub title: String,
    /// What stands in it.
    pub blocks: Vec<Block>,
}

/// A block of a section. All of it is text: nothing in it is markup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A paragraph.
    Text(String),
    /// Lines to copy.
    Code(String),
    /// A table.
    Table {
        /// Headings of its columns.
        head: Vec<String>,
        /// Its rows, each with as many cells.
        rows: Vec<Vec<String>>,
    },
}

/// What is written around the findings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around<'a> {
    /// So many findings are shown at most, where people read it; the counts stay whole.
    pub max_findings: Option<usize>,
    /// Annotations for GitHub beyond those that it shows.
    pub all: bool,
    /// What to do next.
    pub next: &'a [Step],
    /// More parts of the page.
    pub sections: &'a [Section],
}

impl Report<'_> {
    /// Writes the report.
    ///
    /// # Errors
    /// What `out` answers.
    pub fn write(&self, format: Format, around: &Around<'_>, out: &mut impl io::Write) -> io::Result<()> {
        match format {
            Format::Json => json::write(self, out),
            Format::Sarif => sarif::write(self, out),
            Format::Github => github::write(self, around, out),
            Format::Html => html::write(self, around, out),
            Format::Markdown => markdown::write(self, around, out),
        }
    }
}
