//! What was read of one relation on one server.

use crate::connect::Row;
use crate::error::Error;
use crate::guard;

/// What a server answers where a row is more than it can hold in one piece: limit exceeded, no memory, and the internal
/// error that says `invalid memory alloc request size`.
pub(super) const TOO_LONG: [&str; 3] = ["54000", "53200", "XX000"];

/// What was read of one relation on one end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Rows, those of the sample, and the sum of their hashes.
    Rows { count: u64, sample: u64, sum: Option<String> },
    /// A materialized view that was never filled.
    Unpopulated,
    /// The server does not let us read.
    Refused { code: String, why: String },
}

impl Reading {
    /// What a server answered.
    ///
    /// # Errors
    /// When the answer has no count.
    pub(super) fn of(answer: Result<Vec<Row>, crate::error::Server>) -> Result<Self, Error> {
        let rows = match answer {
            Ok(rows) => rows,
            Err(server) if server.code == "55000" && server.message.contains("populated") => {
                return Ok(Self::Unpopulated);
            }
            Err(server) => return Ok(Self::Refused { code: server.code, why: server.message }),
        };
        let Some(row) = rows.first() else {
            return Err(Error::Defect("a count of rows has no answer".into()));
        };
        let count = row.number(0)?;
        // A count alone has no other columns.
        if row.values().len() == 1 {
            return Ok(Self::Rows { count, sample: count, sum: None });
        }
        Ok(Self::Rows { count, sample: row.number(1)?, sum: row.optional(2)?.map(str::to_owned) })
    }

    /// Planning the question would have called functions of users.
    pub(super) fn folds(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == guard::FOLDED)
    }
}

pub(super) fn sums(reading: &Reading) -> Option<&str> {
    match reading {
        Reading::Rows { sum, .. } => sum.as_deref(),
        _ => None,
    }
}

pub(super) fn rows(reading: &Reading) -> Option<u64> {
    match reading {
        Reading::Rows { count, .. } => Some(*count),
        _ => None,
    }
}

pub(super) fn show(reading: &Reading, content: bool) -> String {
    match reading {
        Reading::Rows { count, sum, .. } if content => {
            format!("{count} rows with checksum {}", sum.as_deref().unwrap_or("0"))
        }
        Reading::Rows { count, .. } => format!("{count} rows"),
        Reading::Unpopulated => "not populated".into(),
        Reading::Refused { why, .. } => format!("no count ({why})"),
    }
}
