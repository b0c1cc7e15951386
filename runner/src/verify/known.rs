//! What a migration has announced, kept in its work directory: a comparison later on knows the same as the one at its end.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::options::{Kept, Seen, Without};
use crate::error::Error;
use crate::filter::Wish;
use crate::inspect::Facts;
use crate::journal::{ARCHIVE, Identity};
use crate::moving::Moving;
use crate::names::Relation;
use crate::quote::quoted;
use crate::results::Finding;

/// Its file.
pub const FILE: &str = "announced.json";

/// What a migration has announced, and what it was told to leave behind or to change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The form of the file: [`crate::record::FORMAT`].
    pub format: u32,
    /// What was read.
    pub source: Identity,
    /// What was written.
    pub target: Identity,
    /// The target as it was before.
    pub before: Facts,
    /// What findings said will not be there, or will be different.
    pub announcements: Vec<Announcement>,
    /// Tables whose rows stayed behind.
    pub skipped: BTreeSet<Relation>,
    /// What stayed the administrator's.
    pub kept: Kept,
    /// `--include`, `--exclude` and `--exclude-data`.
    pub wish: Wish,
    /// `--hypertable`.
    pub hypertable: Vec<String>,
    /// What became of its schemas, where they moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moving: Option<Moving>,
    /// It keeps its schemas, and other databases have come into others beside it.
    #[serde(default)]
    pub has_others: bool,
    /// Kinds that stayed behind.
    pub without: Without,
    /// Jobs arrived without being started, and a script starts them.
    #[serde(default)]
    pub jobs_wait: bool,
    /// What the comparison at its end found different, as announced: by object, a hash of what the target had. None where nothing
    /// was compared.
    #[serde(default)]
    pub seen: Option<Seen>,
}

/// A finding, as far as a comparison asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    rule: String,
    severity: String,
    #[serde(default)]
    line: u64,
    object: Option<Box<str>>,
    lost: Option<Box<str>>,
    solved: bool,
}

impl From<&Finding> for Announcement {
    fn from(finding: &Finding) -> Self {
        Self {
            rule: finding.rule.to_string(),
            severity: finding.severity.to_owned(),
            line: finding.line,
            object: finding.object.clone(),
            lost: finding.lost.clone(),
            solved: finding.solved,
        }
    }
}

impl Announcement {
    fn finding(&self) -> Finding {
        Finding {
            rule: self.rule.clone().into(),
            severity: match self.severity.as_str() {
                "error" => "error",
                "warning" => "warning",
                _ => "note",
            },
            part: "",
            line: self.line,
            object: self.object.clone(),
            message: Box::default(),
            solved: self.solved,
            accepted: false,
            lost: self.lost.clone(),
            advice: None,
            cause: None,
            view: None,
        }
    }
}

impl Known {
    /// The findings.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        self.announcements.iter().map(Announcement::finding).collect()
    }

    /// Refuses to judge other databases by it.
    ///
    /// # Errors
    /// Where one of them is another.
    pub fn check(&self, place: &str, source: &Facts, target: &Facts) -> Result<(), Error> {
        for (side, was, is) in
            [("source", &self.source, Identity::of(source)), ("target", &self.target, Identity::of(target))]
        {
            // Which server an archive was dumped from nobody knows.
            if *was != is && was.system != ARCHIVE {
                return Err(Error::Refused {
                    what: format!(
                        "{place} tells of a run with another {side}: database {} ({}) of server {}, and --{side} is {} ({}) of {}",
                        quoted(&was.database),
                        was.oid,
                        was.system,
                        quoted(&is.database),
                        is.oid,
                        is.system
                    ),
                    next: vec![format!("name that run's {side} with --{side}, or leave --work-dir out")],
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_not_used_for_other_databases() {
        let facts = |oid: &str| Facts { database_oid: oid.to_owned(), ..Facts::default() };
        let known = Known {
            source: Identity::of(&facts("1")),
            target: Identity::of(&facts("2")),
            ..Known::default()
        };
        known.check("w", &facts("1"), &facts("2")).expect("the same");
        let error = known.check("w", &facts("1"), &facts("3")).expect_err("another").to_string();
        assert!(error.contains("another target") && error.contains("--target"), "{error}");
        let archive = Identity { system: ARCHIVE.to_owned(), ..Identity::of(&facts("9")) };
        let known = Known { source: archive, ..known };
        known.check("w", &facts("1"), &facts("2")).expect("nobody knows the archive's server");
        assert!(known.check("w", &facts("1"), &facts("3")).is_err());
    }
}
