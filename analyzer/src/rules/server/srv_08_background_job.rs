//! SRV-08: Background jobs of a live TimescaleDB source.

use crate::edit::Safety;
use crate::finding::Severity;
use crate::rule::{Context, Doc, Draft, Rule};
use crate::server::list;

pub(crate) const RULE: Rule = Rule {
    id: "SRV-08",
    name: "background-job",
    severity: Severity::Note,
    fix: Safety::None,
    also_answers: &["TS-06"],
    doc: Doc {
        summary: "TimescaleDB's background jobs run while the database is read.",
        what: "Jobs of policies and users that are scheduled on the source.",
        why: "A compression, retention or refresh job needs locks that a dump holds off, and changes chunks while they are read.",
        server: &[],
        help: "tsmigrate migrate pauses them and puts them back. For a dump by hand, pause them first: SELECT alter_job(id, scheduled => false).",
        before: "",
        after: "",
        sources: Doc::sources(&["timescaledb_information.jobs"]),
        link: "https://www.tigerdata.com/docs/api/latest/jobs-automation",
    },
    check,
    ..Rule::DEFAULT
}
.of_servers();

fn check(ctx: &mut Context<'_>) {
    let Some(jobs) = ctx.server().and_then(|server| Some(&server.timescale.as_ref()?.jobs)) else { return };
    if !jobs.is_empty() {
        ctx.report(Draft::new(format!("background jobs are scheduled on the source: {}", list(jobs))));
    }
}
