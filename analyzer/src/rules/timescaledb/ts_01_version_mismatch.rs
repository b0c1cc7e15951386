//! TS-01: the target has another version of TimescaleDB than the dump.

use std::fmt::Write as _;

use crate::edit::Safety;
use crate::facts::timescale::Version;
use crate::finding::Severity;
use crate::rule::{Answers, Doc, Draft, Finish, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "TS-01",
    name: "timescaledb-version",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::limit(
        "ts.version-mismatch",
        "Versions of a full dump and of a live source; the migration compares both servers and says how to make them equal.",
    ),
    doc: Doc {
        summary: "A full dump of a TimescaleDB source, and a target with another version of TimescaleDB.",
        what: "The version in _timescaledb_catalog.metadata (2.13 and newer), or what the layout of the catalogs tells \
               of it, against the versions that the service has for its PostgreSQL version.",
        why: "The rows of TimescaleDB's catalogs fit one version only. In another one columns and tables are missing, \
              and timescaledb_post_restore() refuses the database at the end.",
        server: &[
            "P0001 catalog version mismatch, expected \"2.19.3\" seen \"2.17.2\" (in timescaledb_post_restore)",
            "42703 column \"schema_name\" of relation \"chunk\" does not exist",
            "42P01 relation \"_timescaledb_catalog.chunk_index\" does not exist",
        ],
        help: "Bring both to one version. Either update the source: ALTER EXTENSION timescaledb UPDATE TO '…', as the \
               first command of a new psql -X session. Or, while the target is empty, give it the source's version: \
               DROP EXTENSION timescaledb; then CREATE EXTENSION timescaledb VERSION '…', each in a psql -X session of \
               its own. Both versions must run on the PostgreSQL version that they are on. tsmigrate check \
               --target-timescaledb says which version the target has. A dump of the schema alone (TS-04) does not \
               depend on the version.",
        before: "COPY _timescaledb_catalog.hypertable (id, schema_name, table_name) FROM stdin;\n1	public	metrics\n\\.\nCOPY _timescaledb_catalog.metadata (key, value, include_in_telemetry) FROM stdin;\ntimescaledb_version	2.29.2	f\n\\.\n",
        after: "",
        sources: Doc::sources(&[
            "timescale/docs, migrate/pg-dump-and-restore: same version of TimescaleDB on source and target",
            "TimescaleDB sql/restoring.sql, timescaledb_post_restore; sql/updates/*.sql for what blocks an update",
            "timescaledb-docker-ha, build_scripts/versions.yaml",
        ]),
        link: "https://www.tigerdata.com/docs/self-hosted/latest/upgrades",
    },
    finish: Some(finish),
    ..Rule::DEFAULT
};

fn finish(all: &mut Finish<'_>) {
    let timescale = &all.facts.timescale;
    let Some(catalogs) = timescale.catalogs.filter(|_| timescale.is_used() && !all.options.catalogs_follow)
    else {
        return;
    };
    let Some((version, place)) = timescale.version else {
        unknown(all, catalogs);
        return;
    };
    let target = &all.target.timescaledb;
    let postgres = all.target.version;
    let pinned = target.offers(version) && target.runs_on(version, postgres);
    let (message, severity) = match target.installed {
        Some(installed) if installed == version => return,
        Some(installed) => (
            format!(
                "the dump is of TimescaleDB {version}, the target has {installed}: the rows of the catalogs do not fit"
            ),
            Severity::Error,
        ),
        None if pinned => (
            format!("the target must have exactly TimescaleDB {version} when this dump is restored"),
            Severity::Warning,
        ),
        None if target.offers(version) => (
            format!("the dump is of TimescaleDB {version}, which does not run on PostgreSQL {postgres}"),
            Severity::Error,
        ),
        None => (
            format!("the dump is of TimescaleDB {version}, which the service does not have"),
            Severity::Error,
        ),
    };
    let mut ways = Vec::new();
    if pinned {
        let only =
            if target.installed.is_some() { "Give the target" } else { "If it has another one, give it" };
        ways.push(format!(
            "{only} this version while it is empty: psql -X -c \"DROP EXTENSION timescaledb\", then psql -X -c \
             \"CREATE EXTENSION timescaledb VERSION '{version}'\"."
        ));
    }
    if let Some(goal) = goal(all).filter(|goal| *goal > version) {
        ways.push(update(all, version, goal));
    }
    if ways.is_empty() {
        ways.push(
            "No version runs on both sides: move to the target's PostgreSQL version on the source first, or move the \
             schema alone (pg_dump --schema-only, see TS-04) and the rows of each table by COPY."
                .into(),
        );
    }
    all.report(
        place,
        Draft::new(message).severity(severity).object("extension timescaledb").advice(ways.join(" Or: ")),
    );
}

/// The version to bring the source to.
fn goal(all: &Finish<'_>) -> Option<Version> {
    let target = &all.target.timescaledb;
    let source = all.facts.headers.iter().find_map(crate::facts::Header::server_major);
    let fits = |version: &Version| {
        target.runs_on(*version, all.target.version)
            && source.is_none_or(|source| target.runs_on(*version, source))
    };
    target.latest().filter(fits)
}

/// How to update the source, with what stands in the way.
fn update(all: &Finish<'_>, from: Version, to: Version) -> String {
    let mut words = format!(
        "Update the source: psql -X -c \"ALTER EXTENSION timescaledb UPDATE TO '{to}'\", the package first, and dump again."
    );
    let timescale = &all.facts.timescale;
    let crosses = |minor: (u32, u32)| (from.0, from.1) < minor && (to.0, to.1) >= minor;
    if crosses((2, 14)) && timescale.hypertables.values().any(|table| table.distributed) {
        words.push_str(" Distributed hypertables block it from 2.14 on: multi-node is gone.");
    }
    let old = timescale.aggregates.values().filter(|aggregate| !aggregate.finalized).count();
    if crosses((2, 25)) && old > 0 {
        let _ = write!(
            words,
            " {old} continuous aggregates of the old format block it from 2.25 on: CALL cagg_migrate('…') first (TS-08)."
        );
    }
    if crosses((2, 28)) && timescale.hypertables.values().any(|table| table.adaptive) {
        words.push_str(
            " Adaptive chunking blocks it from 2.28 on: SELECT set_adaptive_chunking('…', 'disable') first.",
        );
    }
    words
}

fn unknown(all: &mut Finish<'_>, place: crate::finding::Place) {
    let evidence = &all.facts.timescale.evidence;
    let target = &all.target.timescaledb;
    // From 2.13 on a dump says its version.
    let range = evidence.range().map_or_else(|| "2.12 or older".to_owned(), |range| range.clone());
    let signs = evidence.signs.join(", ");
    let possible = match target.installed {
        Some(installed) => evidence.allows(installed),
        None => {
            target.newest.is_none_or(|newest| evidence.allows(newest))
                || target.oldest.is_some_and(|oldest| evidence.allows(oldest))
        }
    };
    let severity = if possible { Severity::Warning } else { Severity::Error };
    let from = if signs.is_empty() { String::new() } else { format!(" (from {signs})") };
    all.report(
        place,
        Draft::new(format!("the dump does not say its version of TimescaleDB: {range}{from}"))
            .severity(severity)
            .object("extension timescaledb")
            .advice(
                "Ask the source: SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'. It and the target \
                 must have the same version. Before 2.13 update the source first: the service starts there.",
            ),
    );
}
