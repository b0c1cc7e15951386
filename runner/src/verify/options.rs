//! How a comparison is done, and what may differ.

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::select::Chosen;
use crate::inspect::Facts;
use crate::names::Relation;
use crate::results::Finding;

/// How much is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Check {
    /// Objects, definitions, owners, privileges, and a checksum of every row.
    #[default]
    Full,
    /// The same with a checksum of a sample of the rows.
    Sample,
    /// The same with the number of rows alone.
    Counts,
    /// Nothing.
    None,
}

/// How a comparison is done.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// How much is compared.
    pub check: Check,
    /// The part of the rows that a sample has, in percent.
    pub percent: f64,
    /// Tables that are read at once; each takes a session on both servers.
    pub jobs: usize,
    /// Only these schemas and tables.
    pub include: Vec<String>,
    /// Not these schemas and tables.
    pub exclude: Vec<String>,
    /// What the migration was told to leave behind or to change.
    pub chosen: Chosen,
    /// Kinds that stayed behind, as asked for.
    pub without: Without,
    /// Whether jobs are scheduled is compared as well: not while a migration has them paused.
    pub scheduled: bool,
}

/// Kinds of objects that a migration was told to leave behind: they are not compared, and a note says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Without {
    /// Roles, their memberships and settings: everything belongs to the target's user, and nobody else has privileges.
    pub roles: bool,
    /// Owners: everything belongs to the target's user.
    pub owners: bool,
    /// Privileges, default privileges too.
    pub privileges: bool,
    /// Comments.
    pub comments: bool,
    /// Publications.
    pub publications: bool,
}

impl Without {
    /// In words.
    pub(super) fn names(self) -> Vec<&'static str> {
        let all = [
            (self.roles, "roles"),
            (self.owners || self.roles, "owners"),
            (self.privileges || self.roles, "privileges"),
            (self.comments, "comments"),
            (self.publications, "publications"),
        ];
        all.into_iter().filter(|(left, _)| *left).map(|(_, name)| name).collect()
    }

    /// An object of this kind stayed behind.
    pub(super) fn has(self, kind: &str) -> bool {
        match kind {
            "role" | "membership" | "role setting" => self.roles,
            "owner" => self.roles || self.owners,
            "privileges" | "default privileges" => self.roles || self.privileges,
            "comment" => self.comments,
            "publication" | "publication schema" => self.publications,
            _ => false,
        }
    }
}

/// The part of the rows that a sample has where nothing else is said, in percent.
pub const PERCENT: f64 = 1.0;

impl From<Check> for VerifyOptions {
    fn from(check: Check) -> Self {
        Self {
            check,
            percent: PERCENT,
            jobs: 4,
            include: Vec::new(),
            exclude: Vec::new(),
            chosen: Chosen::default(),
            without: Without::default(),
            scheduled: false,
        }
    }
}

/// What may differ, and how.
pub struct Expect<'a> {
    /// The source.
    pub source: &'a Facts,
    /// The target as it was before.
    pub target: &'a Facts,
    /// Rows that the target counted as they came in.
    pub rows: &'a BTreeMap<Relation, u64>,
    /// Tables whose rows stayed behind, which the report says.
    pub skipped: &'a BTreeSet<Relation>,
    /// Sequences as the dump set them.
    pub sequences: &'a BTreeMap<Relation, (i64, bool)>,
    /// What was announced.
    pub findings: Vec<Finding>,
    /// Jobs arrived without being started.
    pub jobs_wait: bool,
    /// What a migration could not hand over; none where nobody knows how the target was filled.
    pub kept: Option<&'a Kept>,
    /// What a comparison has seen before of what was announced: something else by now is no longer that.
    pub seen: Option<&'a Seen>,
}

/// Objects that a comparison has found as they were announced, with a hash of what the target has.
pub type Seen = BTreeMap<String, String>;

/// What stays the administrator's, for the target refused to hand it over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The owners on the source of such hypertables and continuous aggregates.
    pub owners: BTreeSet<String>,
    /// Jobs by their ids.
    pub jobs: BTreeSet<i64>,
}
