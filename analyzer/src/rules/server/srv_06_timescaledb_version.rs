//! SRV-06: The version of TimescaleDB on a live source.

use crate::edit::Safety;
use crate::finding::Severity;
use crate::rule::{Context, Doc, Draft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "SRV-06",
    name: "source-timescaledb-version",
    severity: Severity::Error,
    fix: Safety::None,
    also_answers: &["TS-01"],
    doc: Doc {
        summary: "TimescaleDB's version and edition on the source.",
        what: "The version of the extension on the source and, where it is known, on the target; its edition; restoring mode.",
        why: "TimescaleDB's catalogs are part of a dump, and a dump fits its own version only.",
        server: &["catalog version mismatch, expected \"2.29.2\" seen \"2.17.2\""],
        help: "Bring both servers to one version. tsmigrate migrate --dry-run tells the commands.",
        before: "",
        after: "",
        sources: Doc::sources(&["Timescale documentation, migrate with downtime", "timescaledb post_restore"]),
        link: "https://www.tigerdata.com/docs/self-hosted/latest/upgrades",
    },
    check,
    ..Rule::DEFAULT
}
.of_servers();

fn check(ctx: &mut Context<'_>) {
    let Some(server) = ctx.server() else { return };
    let Some(timescale) = &server.timescale else { return };
    let ours = &timescale.version;
    let theirs = ctx.target.live_versions.as_ref().map(|versions| versions.get("timescaledb"));
    match theirs {
        Some(Some(theirs)) if theirs == ours => {}
        Some(Some(theirs)) => ctx.report(
            Draft::new(format!("TimescaleDB is {ours} on the source and {theirs} on the target"))
                .object("extension timescaledb"),
        ),
        _ => ctx.report(
            Draft::new(format!("the service has to run TimescaleDB {ours}, the source's version"))
                .severity(Severity::Note)
                .object("extension timescaledb"),
        ),
    }
    if timescale.restoring {
        ctx.report(
            Draft::new("the source is in restoring mode: its hypertables read as empty")
                .object(format!("database {}", server.database))
                .advice("A restore is under way, or one was left half done: SELECT public.timescaledb_post_restore()."),
        );
    }
    if timescale.license == "apache" {
        ctx.report(
            Draft::new("the source runs TimescaleDB's Apache edition; the service has compression and continuous aggregates too")
                .severity(Severity::Note)
                .object("extension timescaledb"),
        );
    }
}
