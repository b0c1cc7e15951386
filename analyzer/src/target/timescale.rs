//! The versions of TimescaleDB that a destination has.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::facts::timescale::Version;

/// Versions of TimescaleDB.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timescale {
    /// Where this is known from.
    pub source: String,
    /// The one that the database has, where it is known.
    #[serde(default)]
    pub installed: Option<Version>,
    /// The oldest that `CREATE EXTENSION timescaledb VERSION` takes.
    #[serde(default)]
    pub oldest: Option<Version>,
    /// The newest one.
    #[serde(default)]
    pub newest: Option<Version>,
    /// The major versions of PostgreSQL, first and last, that a release supports from this one on
    /// (TimescaleDB's compatibility matrix): `"2.17": [14, 17]`.
    #[serde(default)]
    pub postgres: BTreeMap<String, (u32, u32)>,
}

impl Timescale {
    /// True where `CREATE EXTENSION timescaledb VERSION` takes this one.
    #[must_use]
    pub fn offers(&self, version: Version) -> bool {
        self.oldest.is_some_and(|oldest| version >= oldest)
            && self.newest.is_some_and(|newest| version <= newest)
    }

    /// The major versions of PostgreSQL, first and last, that this release runs on.
    #[must_use]
    pub fn postgres_of(&self, version: Version) -> Option<(u32, u32)> {
        let minor = |key: &str| Version::read(&format!("{key}.0"));
        let known = self.postgres.iter().filter_map(|(key, range)| Some((minor(key)?, *range)));
        known.filter(|(since, _)| *since <= version).max_by_key(|(since, _)| *since).map(|(_, range)| range)
    }

    /// True where this release runs on this major version of PostgreSQL.
    #[must_use]
    pub fn runs_on(&self, version: Version, postgres: u32) -> bool {
        self.postgres_of(version).is_some_and(|(first, last)| (first..=last).contains(&postgres))
    }

    /// The newest version of TimescaleDB that the destination can have.
    #[must_use]
    pub fn latest(&self) -> Option<Version> {
        self.installed.or(self.newest)
    }
}

#[cfg(test)]
mod tests {
    use crate::Target;
    use crate::facts::timescale::Version;

    #[test]
    fn a_release_runs_on_what_the_matrix_says() {
        let timescale = Target::default().timescaledb;
        for (version, first, last) in
            [((2, 10, 3), 12, 15), ((2, 13, 0), 13, 16), ((2, 17, 2), 14, 17), ((2, 29, 2), 16, 18)]
        {
            let version = Version(version.0, version.1, version.2);
            assert_eq!(timescale.postgres_of(version), Some((first, last)), "{version}");
        }
        assert!(timescale.offers(Version(2, 13, 0)) && !timescale.offers(Version(2, 12, 2)));
        assert!(!timescale.offers(Version(2, 29, 2)));
    }
}
