//! What a person asks of an analysis.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::conversion::Conversion;
use crate::finding::Severity;

/// What the findings of a rule are to count as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing: they are not reported, and nothing is changed for them.
    Off,
    /// Advice.
    Note,
    /// Something behaves differently or is lost.
    Warning,
    /// Something that must not be.
    Error,
}

impl Level {
    /// All of them with their words.
    pub const ALL: [(&'static str, Self); 4] =
        [("error", Self::Error), ("warning", Self::Warning), ("note", Self::Note), ("off", Self::Off)];

    /// Its word.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, level)| *level == self).map_or("", |(name, _)| name)
    }

    /// The level with this word.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(word, _)| *word == name).map(|(_, level)| *level)
    }

    fn severity(self) -> Option<Severity> {
        match self {
            Self::Off => None,
            Self::Note => Some(Severity::Note),
            Self::Warning => Some(Severity::Warning),
            Self::Error => Some(Severity::Error),
        }
    }
}

/// A fix that is not applied: of a rule, or of one place where it fires.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leave {
    /// The rule's id.
    pub(crate) rule: &'static str,
    /// The input's name, where only one input is meant.
    pub(crate) file: Option<String>,
    /// The line of the finding, where only one is meant.
    pub(crate) line: Option<u64>,
}

impl std::fmt::Display for Leave {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.rule)?;
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "@{file}:{line}"),
            (None, Some(line)) => write!(f, "@{line}"),
            _ => Ok(()),
        }
    }
}

/// Options of an analysis and of the rewrite that follows from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Rules (by id or name) whose losses are accepted: their fixes that need review are applied, and
    /// statements that no fix can save are removed.
    pub accept: BTreeSet<String>,
    /// Of a cluster dump, the one database to keep.
    pub database: Option<String>,
    /// Databases of a cluster dump that move into schemas of their own, all of which are kept: see [`crate::moving`].
    pub moved: BTreeSet<String>,
    /// Tables (schema, name) that are known to be hypertables on the source.
    pub hypertables: BTreeSet<(String, String)>,
    /// Tables (schema, name) that are known to be chunks on the source, and lie in a schema of the user's own.
    pub chunks: BTreeSet<(String, String)>,
    /// Relations (schema, name) of the source that the dump leaves out on purpose.
    pub absent: BTreeSet<(String, String)>,
    /// Whoever restores the dump fills TimescaleDB's catalogs too: a dump without their rows is whole.
    pub catalogs_follow: bool,
    /// Whoever restores the dump hands over chunks, and what else TimescaleDB keeps for a hypertable or an aggregate, beside
    /// the dump's own statements: then their owners are kept too.
    pub hands_over_chunks: bool,
    /// What rules count as where it is not what they say themselves: by id. See [`Options::set_level`].
    pub levels: BTreeMap<&'static str, Level>,
    /// Where some of this comes from, for the report: a configuration file's path.
    pub configuration: Option<String>,
    /// Fixes that are not applied: see [`Options::leave`].
    pub leave: BTreeSet<Leave>,
    /// Tables (schema, name) that are to become hypertables while they are restored.
    pub convert: BTreeMap<(String, String), Conversion>,
}

impl Options {
    /// True where nothing of this rule is reported.
    #[must_use]
    pub fn is_off(&self, rule: &str) -> bool {
        self.levels.get(rule) == Some(&Level::Off)
    }

    /// The severity that the findings of this rule get, where the options name one.
    #[must_use]
    pub fn severity(&self, rule: &str) -> Option<Severity> {
        self.levels.get(rule)?.severity()
    }

    /// True where the fix of a finding of this rule is not applied.
    #[must_use]
    pub fn leaves(&self, rule: &'static str, file: &str, line: u64) -> bool {
        // Somebody who takes one fix of many leaves thousands of others: each finding asks.
        let has = |file: Option<&str>, line| {
            self.leave.contains(&Leave { rule, file: file.map(str::to_owned), line })
        };
        !self.leave.is_empty() && (has(None, None) || has(None, Some(line)) || has(Some(file), Some(line)))
    }
}
