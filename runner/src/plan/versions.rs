//! TimescaleDB's versions on both servers: what is dumped fits its own version only.

use crate::error::Blocker;
use crate::inspect::Facts;
use crate::quote::psql;
use crate::timescale::numbers;

/// The last version of TimescaleDB for a major version of PostgreSQL (TimescaleDB's CHANGELOG, 2.20.0 and 2.29.0: "support
/// removed"; the first of the next is refused by its CMakeLists.txt, or does not compile), and the newest PostgreSQL that it runs on.
const LAST: [(u32, &str, u32); 2] = [(14, "2.19.3", 17), (15, "2.28.3", 18)];

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

/// The version that the source has to be updated to before it moves; none where it need not, or cannot.
#[must_use]
pub fn source_update(source: &Facts, target: &Facts) -> Option<String> {
    let ours = &source.timescale.as_ref()?.version;
    nearest(source, target, ours).cloned()
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
        next: path(source, target, ours),
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
        next: path(source, target, ours),
    }
}

/// The newer version of the target that takes the least: what the source's server has already needs no installation, and the
/// nearest one changes least.
fn nearest<'a>(source: &Facts, target: &'a Facts, ours: &str) -> Option<&'a String> {
    let installed = target.timescale.iter().map(|timescale| &timescale.version);
    let newer =
        target.timescale_versions.iter().chain(installed).filter(|version| numbers(version) > numbers(ours));
    newer.min_by_key(|version| (!source.timescale_versions.contains(version), numbers(version)))
}

/// The fewest updates that bring both to one version.
fn path(source: &Facts, target: &Facts, ours: &str) -> Vec<String> {
    let Some(to) = nearest(source, target, ours) else {
        if target.timescale_versions.iter().any(|version| version == ours) {
            let update = format!("ALTER EXTENSION timescaledb UPDATE TO '{ours}'");
            return vec![
                format!("update the target to {ours} first, which it offers:"),
                format!("  {}", psql("TARGET", &update)),
            ];
        }
        return vec![format!(
            "a version cannot be taken back, and the target offers no newer one: move to a service that offers {ours}, or ask \
             its support when this one does"
        )];
    };
    let mut next = Vec::new();
    let last = LAST.iter().find(|(major, last, _)| *major == source.major() && numbers(to) > numbers(last));
    if let Some((major, last, newest)) = last {
        if numbers(ours) < numbers(last) {
            next.push(format!(
                "update the source to {last}, the last TimescaleDB for PostgreSQL {major} (install it on its server first), as the \
                 first command of a new session:"
            ));
            next.push(format!("  {}", update(last)));
        }
        next.push(format!(
            "then move the source to PostgreSQL {} with pg_upgrade, TimescaleDB {last} installed for both: {to} has no PostgreSQL {major}",
            newest.min(&target.major())
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
        assert!(next.contains("PostgreSQL 17 with pg_upgrade") && next.ends_with("'2.27.2'\""), "{next}");
        let source = Facts { version_num: 150_018, ..with("2.15.0") };
        let next = timescale_version(&source, &offering(&["2.29.2"])).expect("they differ").next.join("\n");
        assert!(next.contains("2.28.3, the last TimescaleDB for PostgreSQL 15"), "{next}");
        let next = timescale_version(&source, &offering(&["2.28.3"])).expect("they differ").next.join("\n");
        assert!(!next.contains("pg_upgrade") && next.ends_with("'2.28.3'\""), "{next}");
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
        assert!(newer.next[0].contains("offers no newer one") && newer.next.len() == 1, "{newer:?}");
        // It was not updated to the newest that it offers.
        let mut target = offering(&["2.19.3", "2.29.2", "2.19.3"]);
        target.creatable.clear();
        let newer = timescale_version(&with("2.29.2"), &target).expect("they differ");
        assert!(newer.next[1].contains("$TARGET"), "{newer:?}");
        let newer = timescale_version(&with("2.27.0"), &target).expect("they differ");
        assert!(newer.next[1].contains("$SOURCE") && newer.next[1].contains("2.29.2"), "{newer:?}");
    }
}
