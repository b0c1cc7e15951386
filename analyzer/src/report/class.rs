//! What a finding asks of the reader.

use crate::finding::Severity;
use crate::rule::Finding;

/// What a finding asks of the reader; the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// An error that the rewrite does not fix.
    Open,
    /// An error that it fixes.
    Solved,
    /// Something behaves differently or is lost.
    Warning,
    /// Advice.
    Note,
    /// A comment in the dump allows it: it does not count.
    Allowed,
}

impl Class {
    /// All of them, in their order.
    pub const ALL: [Self; 5] = [Self::Open, Self::Solved, Self::Warning, Self::Note, Self::Allowed];

    /// The class of a finding.
    #[must_use]
    pub const fn of(finding: &Finding) -> Self {
        match finding.severity {
            _ if finding.allowed.is_some() => Self::Allowed,
            Severity::Error if finding.solved => Self::Solved,
            Severity::Error => Self::Open,
            Severity::Warning => Self::Warning,
            Severity::Note => Self::Note,
        }
    }
}
