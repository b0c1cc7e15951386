//! What is wrong with the servers: nothing can be done before it is put right.

use crate::error::Blocker;
use crate::human;
use crate::inspect::Facts;
use crate::quote::{psql, quoted};

/// The oldest PostgreSQL that is read: multiranges, `pg_read_all_data` and reading by block ranges came with it.
const OLDEST: u32 = 14;

/// What is wrong with a source, whatever its target.
#[must_use]
pub fn of_source(source: &Facts) -> Vec<Blocker> {
    let mut blockers = Vec::new();
    let mut block = |check, what: String, next: &[&str]| blockers.push(Blocker::new(check, what, next));
    if source.in_recovery {
        block(
            "source-standby",
            "the source is a standby, and a standby exports no snapshot".into(),
            &["name the primary with --source"],
        );
    }
    if source.major() < OLDEST {
        block(
            "source-version",
            format!("the source's PostgreSQL {} is older than {OLDEST}", source.version),
            &[
                "upgrade it first (pg_upgrade), or move its dump by hand:",
                "tsmigrate rewrite makes a dump of any version fit the service",
            ],
        );
    }
    if source.database.contains(['\n', '\r']) {
        block(
            "source-database-name",
            format!(
                "the name of database {} has a line end, and pg_dump takes none",
                quoted(&source.database)
            ),
            &["rename it, from another database: ALTER DATABASE … RENAME TO …"],
        );
    }
    blockers.extend(restoring("source-restoring", "SOURCE", source));
    blockers
}

/// A server in restoring mode.
fn restoring(check: &'static str, side: &str, facts: &Facts) -> Option<Blocker> {
    let timescale = facts.timescale.as_ref().filter(|timescale| timescale.restoring)?;
    let command = psql(side, &format!("SELECT {}.timescaledb_post_restore()", timescale.schema));
    if !timescale.restoring_of_role.is_empty() {
        let mut next =
            vec!["a role's setting says so, which timescaledb_post_restore() leaves alone:".to_owned()];
        next.extend(timescale.restoring_of_role.iter().map(|sql| format!("  {}", psql(side, sql))));
        let what = "sessions there have timescaledb.restoring = on: hypertables read as empty";
        return Some(Blocker { check, what: format!("{what} (the {})", side.to_lowercase()), next });
    }
    Some(Blocker::new(
        check,
        format!("the {} is in restoring mode: hypertables read as empty there", side.to_lowercase()),
        &["a restore is under way, or one was left half done; if it is the latter:", &command],
    ))
}

/// What is wrong with one of the servers, other than TimescaleDB's version.
#[must_use]
pub fn preflight(source: &Facts, target: &Facts) -> Vec<Blocker> {
    of_source(source).into_iter().chain(of_target(source, target)).collect()
}

/// What is wrong with a target for this source.
#[must_use]
pub fn of_target(source: &Facts, target: &Facts) -> Vec<Blocker> {
    let mut blockers = Vec::new();
    let mut block = |check, what: String, next: &[&str]| blockers.push(Blocker::new(check, what, next));
    if source.is_same(target) {
        block(
            "same-database",
            format!("the source and the target are one database, {}", quoted(&source.database)),
            &["name the service's database with --target"],
        );
    }
    if target.in_recovery {
        block("target-standby", "the target is a standby".into(), &["name the primary with --target"]);
    }
    if target.major() < source.major() {
        block(
            "postgresql-version",
            format!(
                "the target's PostgreSQL {} is older than the source's {}",
                target.version, source.version
            ),
            &["choose a service with the source's major version of PostgreSQL, or a newer one"],
        );
    }
    if target.encoding != "UTF8" {
        block(
            "target-encoding",
            format!("the target's database has the encoding {}, not UTF8", target.encoding),
            &["create a new service: the encoding of a database cannot be changed"],
        );
    }
    blockers.extend(restoring("target-restoring", "TARGET", target));
    let mut block = |check, what: String, next: &[&str]| blockers.push(Blocker::new(check, what, next));
    if !target.objects.is_empty() {
        block(
            "target-not-empty",
            format!("the target's database already has objects: {}", human::first(&target.objects, 8)),
            &[
                "drop them, or create a new service: a migration overwrites nothing",
                "or move into schemas of its own, beside what is there: --into-schema NAME; a database with hypertables has to come first",
            ],
        );
    }
    if source.timescale.is_some() && target.timescale.is_none() && !target.creatable.contains("timescaledb") {
        block(
            "timescaledb-missing",
            "the source has TimescaleDB, and the target neither has it nor lets it be created".into(),
            &["choose a service of the type \"time-series and analytics\""],
        );
    }
    blockers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::Timescale;

    fn with(version: &str) -> Facts {
        Facts {
            version_num: 170_002,
            encoding: "UTF8".into(),
            timescale: Some(Timescale {
                version: version.into(),
                schema: "public".into(),
                ..Timescale::default()
            }),
            ..Facts::default()
        }
    }

    #[test]
    fn a_name_that_no_pg_dump_takes_is_refused_before_it_runs() {
        let named = |name: &str| {
            let mut source = with("2.19.3");
            source.database = name.into();
            of_source(&source).into_iter().map(|blocker| blocker.check).collect::<Vec<_>>()
        };
        assert_eq!(named("a\nb"), ["source-database-name"]);
        assert_eq!(named("a\\nb"), Vec::<&str>::new());
    }

    #[test]
    fn every_fault_of_the_ends_is_named_at_once() {
        let mut source = with("2.19.3");
        source.version_num = 180_000;
        let mut target = with("2.19.3");
        target.encoding = "SQL_ASCII".into();
        target.objects = vec!["relation t".into()];
        target.timescale.as_mut().expect("it is there").restoring = true;
        let checks: Vec<_> = preflight(&source, &target).into_iter().map(|blocker| blocker.check).collect();
        assert_eq!(checks, ["postgresql-version", "target-encoding", "target-restoring", "target-not-empty"]);
    }
}
