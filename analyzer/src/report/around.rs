//! What stands in a report beside what was found.

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
