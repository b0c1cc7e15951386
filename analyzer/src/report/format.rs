//! The formats of a report.

use super::{Around, Report, github, html, json, markdown, sarif};

use std::io;

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

    /// True where people read it: it may show fewer findings than there are. Programs get all of them.
    #[must_use]
    pub const fn is_for_people(self) -> bool {
        matches!(self, Self::Github | Self::Html | Self::Markdown)
    }
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
