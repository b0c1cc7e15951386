//! What a worker can be busy with.

/// What a worker is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// Rows of a table, or of a part of it.
    Copy,
    /// Large objects.
    LargeObjects,
    /// An index, or a constraint that is one.
    Index,
    /// A foreign key is checked.
    ForeignKey,
    /// A materialized view is filled.
    Refresh,
    /// Rows of both servers are compared.
    Verify,
}

impl TaskKind {
    /// A word for it in a line of a display.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Copy | Self::LargeObjects => "copy",
            Self::Index => "index",
            Self::ForeignKey => "foreign key",
            Self::Refresh => "refresh",
            Self::Verify => "verify",
        }
    }

    /// Its bytes are bytes of the stage that is measured.
    #[must_use]
    pub const fn moves_bytes(self) -> bool {
        matches!(self, Self::Copy | Self::LargeObjects | Self::Verify)
    }
}
