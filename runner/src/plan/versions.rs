//! TimescaleDB's versions on both servers: what is dumped fits its own version only.

use crate::error::Blocker;
use crate::inspect::Facts;
use crate::quote::psql;
use crate::timescale::numbers;

/// The last version of TimescaleDB for a major version of PostgreSQL: the CMakeLists.txt of 2.20.0 refuses 14, and that of
/// 2.29.2 still takes 15.
const LAST: [(u32, &str); 1] = [(14, "2.19.3")];

/// The target's TimescaleDB gives way to the source's version for the migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// The source's version.
    pub ours: String,
    /// The target's version, as it was.
    pub theirs: String,
}

/// The version that the target's TimescaleDB has to be put back to, where the target offers it. It holds nothing yet.
#[must_use]
pub fn bridge(source: &Facts, target: &Facts) -> Option<Bridge> {
    let (ours, theirs) = (&source.timescale.as_ref()?.version, &target.timescale.as_ref()?.version);
    let offers = target.timescale_versions.contains(ours) && target.creatable.contains("timescaledb");
    (offers && ours != theirs).then(|| Bridge { ours: ours.clone(), theirs: theirs.clone() })
}

/// A difference of versions that the target alone cannot end, with the commands that do.
#[must_use]
pub fn timescale_version(source: &Facts, target: &Facts) -> Option<Blocker> {
    let ours = &source.timescale.as_ref()?.version;
    let theirs = match &target.timescale {
        Some(timescale) => &timescale.version,
        // It is not there yet and will be created in the version that is wanted.
        None if target.timescale_versions.contains(ours) => return None,
        None => target.available.get("timescaledb")?,
    };
    (ours != theirs).then(|| Blocker {
        check: "timescaledb-version",
        what: format!(
            "TimescaleDB is {ours} on the source and {theirs} on the target; a dump fits its own version only"
        ),
        next: path(source, target, ours, theirs),
    })
}

/// The target's own version does not give way.
#[must_use]
pub fn stays(bridge: &Bridge, source: &Facts, target: &Facts, why: &str) -> Blocker {
    let Bridge { ours, theirs } = bridge;
    Blocker {
        check: "timescaledb-version",
        what: format!(
            "TimescaleDB is {ours} on the source and {theirs} on the target, where it cannot be dropped and created as {ours}: {why}"
        ),
        next: path(source, target, ours, theirs),
    }
}

/// The fewest updates that bring both to one version.
fn path(source: &Facts, target: &Facts, ours: &str, theirs: &str) -> Vec<String> {
    let ours_first = numbers(ours) < numbers(theirs);
    if !ours_first {
        return vec![
            format!(
                "the target offers {theirs} and not {ours}, and a version cannot be taken back: update the target to {ours} first"
            ),
            format!("  {}", psql("TARGET", &format!("ALTER EXTENSION timescaledb UPDATE TO '{ours}'"))),
        ];
    }
    // What the source's server has already needs no installation, and the nearest version changes least.
    let newer = |version: &&String| numbers(version) > numbers(ours);
    let mut offered: Vec<&String> = target.timescale_versions.iter().filter(newer).collect();
    if offered.is_empty() {
        offered = target.timescale.iter().map(|timescale| &timescale.version).collect();
    }
    offered.sort_by_key(|version| (!source.timescale_versions.contains(version), numbers(version)));
    let to = offered.first().map_or(theirs, |version| version.as_str());
    let mut next = Vec::new();
    let last = LAST.iter().find(|(major, last)| *major == source.major() && numbers(to) > numbers(last));
    if let Some((major, last)) = last {
        if numbers(ours) < numbers(last) {
            next.push(format!(
                "update the source to {last}, the last TimescaleDB for PostgreSQL {major} (install it on its server first), as the \
                 first command of a new session:"
            ));
            next.push(format!("  {}", update(last)));
        }
        next.push(format!(
            "then move the source to PostgreSQL {} with pg_upgrade, TimescaleDB {last} installed for both: {to} has no PostgreSQL {major}",
            major + 1
        ));
    }
    let install = if source.timescale_versions.iter().any(|version| version == to) {
        String::new()
    } else {
        format!(" (install TimescaleDB {to} on its server first)")
    };
    next.push(format!("update the source{install}, as the first command of a new session:"));
    next.push(format!("  {}", update(to)));
    next
}

fn update(version: &str) -> String {
    format!("psql -X \"$SOURCE\" -c \"ALTER EXTENSION timescaledb UPDATE TO '{version}'\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::Timescale;

    fn with(version: &str) -> Facts {
        Facts {
            version_num: 170_002,
            timescale: Some(Timescale { version: version.into(), ..Timescale::default() }),
            ..Facts::default()
        }
    }

    fn offering(versions: &[&str]) -> Facts {
        let mut facts = with(versions.last().expect("a version"));
        facts.timescale_versions = versions.iter().map(|&version| version.to_owned()).collect();
        facts.creatable.insert("timescaledb".into());
        facts
    }

    #[test]
    fn an_older_source_is_updated_to_the_nearest_version_that_the_target_offers() {
        let next =
            timescale_version(&with("2.9.3"), &offering(&["2.19.3", "2.27.2"])).expect("they differ").next;
        assert_eq!(
            next,
            [
                "update the source (install TimescaleDB 2.19.3 on its server first), as the first command of a new session:",
                "  psql -X \"$SOURCE\" -c \"ALTER EXTENSION timescaledb UPDATE TO '2.19.3'\"",
            ]
        );
        let mut installed = with("2.9.3");
        installed.timescale_versions = vec!["2.27.2".into()];
        let next = timescale_version(&installed, &offering(&["2.19.3", "2.27.2"])).expect("they differ").next;
        assert!(next[0].starts_with("update the source, as") && next[1].contains("'2.27.2'"), "{next:?}");
    }

    #[test]
    fn a_postgresql_that_ends_is_named() {
        let source = Facts { version_num: 140_010, ..with("2.15.0") };
        let next = timescale_version(&source, &offering(&["2.27.2"])).expect("they differ").next.join("\n");
        assert!(next.contains("2.19.3, the last TimescaleDB for PostgreSQL 14"), "{next}");
        assert!(next.contains("PostgreSQL 15 with pg_upgrade") && next.ends_with("'2.27.2'\""), "{next}");
        let source = Facts { version_num: 150_018, ..with("2.15.0") };
        let next = timescale_version(&source, &offering(&["2.29.2"])).expect("they differ").next.join("\n");
        assert!(!next.contains("pg_upgrade") && next.ends_with("'2.29.2'\""), "{next}");
    }

    #[test]
    fn a_target_that_offers_the_sources_version_goes_back_to_it() {
        let mut target = offering(&["2.17.2", "2.19.3"]);
        let versions = Bridge { ours: "2.17.2".into(), theirs: "2.19.3".into() };
        assert_eq!(bridge(&with("2.17.2"), &target), Some(versions));
        assert_eq!(bridge(&with("2.19.3"), &target), None);
        assert_eq!(bridge(&with("2.18.0"), &target), None);
        target.timescale = None;
        assert_eq!(timescale_version(&with("2.17.2"), &target), None);
        let newer = timescale_version(&with("2.29.2"), &offering(&["2.19.3"])).expect("they differ");
        assert!(newer.next[1].contains("$TARGET"), "{newer:?}");
    }
}
