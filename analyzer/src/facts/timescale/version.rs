//! Versions of TimescaleDB, and what the layout of a dump tells of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::facts::names::string;
use crate::parse::pg;

/// A release of TimescaleDB, such as 2.17.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// Reads `2.17.2`; what follows a `-` (`2.30.0-dev`) does not count.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('-').next()?.split('.');
        let mut next = || parts.next()?.parse().ok();
        Some(Self(next()?, next()?, next()?))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl TryFrom<String> for Version {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::read(&text).ok_or_else(|| format!("{text} is no version of TimescaleDB, such as 2.17.2"))
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

/// What tables, columns and triggers of a dump tell of the version that wrote them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The oldest minor release that it can be.
    pub since: Option<(u32, u32)>,
    /// The first minor release that it cannot be any more.
    pub before: Option<(u32, u32)>,
    /// What narrowed it down, in words.
    pub signs: Vec<String>,
}

/// A release without its patch level.
type Minor = (u32, u32);

/// Catalog tables with the releases that have them (tables.sql of each release).
const TABLES: &[(&str, Option<Minor>, Option<Minor>)] = &[
    ("bgw_policy_drop_chunks", Some((1, 2)), Some((2, 0))),
    ("bgw_policy_compress_chunks", Some((1, 5)), Some((2, 0))),
    ("bgw_policy_reorder", Some((1, 2)), Some((2, 0))),
    ("continuous_aggs_completed_threshold", Some((1, 3)), Some((2, 0))),
    ("hypertable_data_node", Some((2, 0)), Some((2, 14))),
    ("chunk_data_node", Some((2, 0)), Some((2, 14))),
    ("remote_txn", Some((2, 0)), Some((2, 14))),
    ("chunk_copy_operation", Some((2, 5)), Some((2, 14))),
    ("continuous_aggs_bucket_function", Some((2, 7)), None),
    ("continuous_agg_migrate_plan", Some((2, 9)), Some((2, 26))),
    ("dimension_partition", Some((2, 9)), Some((2, 14))),
    ("continuous_aggs_watermark", Some((2, 11)), None),
    ("hypertable_compression", Some((1, 5)), Some((2, 14))),
    ("compression_settings", Some((2, 14)), None),
    ("chunk_column_stats", Some((2, 16)), None),
    ("chunk_index", None, Some((2, 22))),
    ("continuous_aggs_materialization_ranges", Some((2, 22)), None),
    ("chunk_rewrite", Some((2, 24)), None),
    ("continuous_aggs_jobs_refresh_ranges", Some((2, 26)), None),
    ("chunk_constraint", None, Some((2, 28))),
    ("continuous_aggs_tenant_tracking", Some((2, 29)), None),
    ("hypertable_cagg_settings", Some((2, 29)), None),
];

impl Evidence {
    /// True where this version has all that was seen.
    #[must_use]
    pub fn allows(&self, version: Version) -> bool {
        let minor = (version.0, version.1);
        self.since.is_none_or(|since| minor >= since) && self.before.is_none_or(|before| minor < before)
    }

    /// The range in words: `2.14 to 2.21`.
    #[must_use]
    pub fn range(&self) -> Option<String> {
        let last = |(major, minor): (u32, u32)| match minor {
            // 1.7 is the last of the first series.
            0 => format!("{}.7", major.saturating_sub(1)),
            _ => format!("{major}.{}", minor - 1),
        };
        let first = self.since.map(|(major, minor)| format!("{major}.{minor}"));
        match (first, self.before.map(last)) {
            (Some(first), Some(last)) if first == last => Some(first),
            (Some(first), Some(last)) => Some(format!("{first} to {last}")),
            (Some(first), None) => Some(format!("{first} or newer")),
            (None, Some(last)) => Some(format!("{last} or older")),
            (None, None) => None,
        }
    }

    fn sign(&mut self, words: &str, since: Option<(u32, u32)>, before: Option<(u32, u32)>) {
        let newer = since.is_some_and(|since| self.since.is_none_or(|known| since > known));
        let older = before.is_some_and(|before| self.before.is_none_or(|known| before < known));
        if newer {
            self.since = since;
        }
        if older {
            self.before = before;
        }
        if newer || older {
            self.signs.push(words.to_owned());
        }
    }

    /// Rows of a catalog table are in the dump.
    pub(super) fn copied(&mut self, range: &pg::RangeVar, columns: &[pg::Node]) {
        let table = &*range.relname;
        match &*range.schemaname {
            "_timescaledb_config" if table == "bgw_job" => {
                self.sign("table _timescaledb_config.bgw_job", None, Some((2, 25)));
            }
            "_timescaledb_catalog" | "_timescaledb_config" => {}
            _ => return,
        }
        if let Some((name, since, before)) = TABLES.iter().find(|(name, _, _)| *name == table) {
            self.sign(&format!("table {name}"), *since, *before);
        }
        let has = |name: &str| columns.iter().filter_map(string).any(|column| column == name);
        match table {
            "bgw_job" if range.schemaname == "_timescaledb_catalog" => {
                self.sign("table _timescaledb_catalog.bgw_job", Some((2, 25)), None);
            }
            "chunk" if has("relid") => self.sign("column chunk.relid", Some((2, 29)), None),
            "chunk" if has("schema_name") => self.sign("column chunk.schema_name", None, Some((2, 29))),
            "continuous_agg" if has("finalized") => {
                self.sign("column continuous_agg.finalized", Some((2, 7)), Some((2, 25)));
            }
            _ => {}
        }
    }

    /// A trigger that keeps rows out of a hypertable's own table, with its function's schema.
    pub(super) fn blocker(&mut self, schema: &str) {
        match schema {
            "_timescaledb_functions" => {
                self.sign("triggers ts_insert_blocker", Some((2, 12)), Some((2, 23)));
            }
            "_timescaledb_internal" => {
                self.sign("triggers ts_insert_blocker of _timescaledb_internal", None, Some((2, 12)));
            }
            _ => {}
        }
    }

    /// A compressed chunk in the naming of 2.29.
    pub(super) fn new_compressed_name(&mut self) {
        self.sign("tables _hyper_…_chunk_compressed", Some((2, 29)), None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared_by_number() {
        assert_eq!(Version::read("2.30.0-dev"), Some(Version(2, 30, 0)));
        assert_eq!(Version::read("2.17"), None);
        assert!(Version(2, 9, 3) < Version(2, 17, 2));
    }

    #[test]
    fn signs_narrow_a_range_and_never_widen_it() {
        let mut evidence = Evidence::default();
        assert_eq!(evidence.range(), None);
        evidence.sign("a", Some((2, 14)), None);
        evidence.sign("b", Some((2, 11)), Some((2, 22)));
        assert_eq!(evidence.range().as_deref(), Some("2.14 to 2.21"));
        assert!(evidence.allows(Version(2, 19, 3)) && !evidence.allows(Version(2, 22, 0)));
        evidence.sign("c", None, Some((2, 25)));
        assert_eq!(evidence.signs, ["a", "b"]);
    }
}
