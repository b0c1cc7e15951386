//! SRV-07: Continuous aggregates in the form before TimescaleDB 2.7.

use crate::edit::Safety;
use crate::finding::Severity;
use crate::rule::{Context, Doc, Draft, Rule};
use crate::server::list;

pub(crate) const RULE: Rule = Rule {
    id: "SRV-07",
    name: "source-old-continuous-aggregate",
    severity: Severity::Warning,
    fix: Safety::None,
    also_answers: &["TS-08"],
    doc: Doc {
        summary: "Continuous aggregates in the old (partial) form.",
        what: "Continuous aggregates whose materialized rows are partial states: finalized is false in TimescaleDB's catalog.",
        why: "Partial states are those of one major version of PostgreSQL, and TimescaleDB 2.25 refuses the form.",
        server: &[
            "insufficient data left in message",
            "continuous aggregates with old format found, update blocked",
        ],
        help: "Convert them on the source first: CALL cagg_migrate('schema.name').",
        before: "",
        after: "",
        sources: Doc::sources(&["_timescaledb_catalog.continuous_agg", "timescaledb sql/updates"]),
        link: "https://www.tigerdata.com/docs/use-timescale/latest/continuous-aggregates/migrate",
    },
    check,
    ..Rule::DEFAULT
}
.of_servers();

fn check(ctx: &mut Context<'_>) {
    let Some(old) = ctx.server().and_then(|server| Some(&server.timescale.as_ref()?.old_aggregates)) else {
        return;
    };
    if !old.is_empty() {
        ctx.report(Draft::new(format!("continuous aggregates have the old form: {}", list(old))));
    }
}
