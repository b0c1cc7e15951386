//! The proof at the end: everything that can be read off both ends is compared.

mod catalog;
mod compare;
mod rows;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::connect::{Connector, Session};
use crate::error::Error;
use crate::inspect::Facts;
use crate::progress::Progress;
use crate::report::Finding;

/// How both ends are read: the source as it was when the data was read.
pub struct Sessions<'a> {
    /// The source.
    pub source: &'a Connector,
    /// The target.
    pub target: &'a Connector,
    /// The exported snapshot; its transaction is still open.
    pub snapshot: &'a str,
}

/// What may differ, and how.
pub struct Expect<'a> {
    /// The source.
    pub source: &'a Facts,
    /// The target as it was before.
    pub target: &'a Facts,
    /// Rows that the target counted as they came in, by `schema.table`.
    pub rows: &'a BTreeMap<String, u64>,
    /// Tables whose rows stayed behind, which the report says.
    pub skipped: &'a BTreeSet<String>,
    /// Sequences as the dump set them.
    pub sequences: &'a BTreeMap<String, (String, bool)>,
    /// What was announced.
    pub findings: Vec<Finding>,
}

/// One thing that is not the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// What was compared: `rows`, `table`, `owner`, …
    pub kind: String,
    /// Of which object.
    pub object: String,
    /// What was expected; none where nothing was.
    pub expected: Option<String>,
    /// What the target has; none where it has nothing.
    pub found: Option<String>,
    /// Why it was to be expected: the rule that announced it, or another reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What the comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// How many things of each kind were compared.
    pub compared: BTreeMap<String, usize>,
    /// What differs and was not announced: the migration failed.
    pub differences: Vec<Difference>,
    /// What differs, as announced.
    pub announced: Vec<Difference>,
    /// What could be compared in a lesser way only.
    pub notes: Vec<String>,
}

impl Verification {
    /// In one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let total: usize = self.compared.values().sum();
        format!("{total} comparisons, {} differences", self.differences.len())
    }

    /// For people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let compared: Vec<_> = self.compared.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let mut lines = vec![format!("compared: {}", compared.join(", "))];
        lines.extend(self.differences.iter().map(|difference| format!("✗ {difference}")));
        lines.extend(self.announced.iter().map(|difference| format!("as announced: {difference}")));
        lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        lines
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: ", self.kind, self.object)?;
        match (&self.expected, &self.found) {
            (Some(expected), Some(found)) => write!(f, "expected {expected}, found {found}")?,
            (Some(_), None) => f.write_str("is not on the target")?,
            (None, _) => f.write_str("is on the target only")?,
        }
        self.reason.iter().try_for_each(|reason| write!(f, " ({reason})"))
    }
}

/// Compares both ends.
///
/// # Errors
/// When one of them cannot be read; a difference is no error here.
pub async fn verify(
    sessions: &Sessions<'_>,
    expect: &Expect<'_>,
    progress: &Progress,
) -> Result<Verification, Error> {
    let (source, target) = tokio::try_join!(reader(sessions), sessions.target.open())?;
    let (ours, theirs) = tokio::try_join!(catalog::read(&source), catalog::read(&target))?;
    let mut verification = compare::compare(&ours, &theirs, expect);
    rows::compare(sessions, expect, &ours, &theirs, progress, &mut verification).await?;
    verification.differences.sort();
    verification.announced.sort();
    Ok(verification)
}

/// A session that sees the source as the dump saw it.
async fn reader(sessions: &Sessions<'_>) -> Result<Session, Error> {
    let session = sessions.source.open().await?;
    session
        .run(&format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {}",
            crate::connect::literal(sessions.snapshot)
        ))
        .await?;
    Ok(session)
}

/// True where a table holds the same rows in both sessions.
///
/// # Errors
/// When a server refuses the question.
pub async fn same_rows(source: &Session, target: &Session, schema: &str, table: &str) -> Result<bool, Error> {
    let name = format!("{}.{}", crate::connect::identifier(schema), crate::connect::identifier(table));
    let question = format!(
        "SELECT pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtextextended(t::text, 0)::numeric) FROM ONLY {name} t"
    );
    let (ours, theirs) = tokio::try_join!(source.ask(&question), target.ask(&question))?;
    Ok(ours == theirs)
}
