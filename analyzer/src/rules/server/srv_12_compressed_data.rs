//! SRV-12: Compressed chunks that a dump damages.

use crate::edit::Safety;
use crate::finding::Severity;
use crate::rule::{Answers, Context, Doc, Draft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "SRV-12",
    name: "compressed-data",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::purpose("of a live source: chunks that a dump damages"),
    doc: Doc {
        summary: "Compressed chunks that a dump of this TimescaleDB version damages.",
        what: "Batches that are NULL throughout in a column, defaults that were added after a compression, and ranges of chunk skipping.",
        why: "Some versions of TimescaleDB write such rows so that a restore refuses them or reads other values.",
        server: &[],
        help: "Do what is named, on the source, before the dump.",
        before: "",
        after: "",
        sources: Doc::sources(&["TimescaleDB issues 8893, 8091, 8130"]),
        link: "https://www.tigerdata.com/docs/use-timescale/latest/compression",
    },
    check,
    ..Rule::DEFAULT
}
.of_servers();

fn check(ctx: &mut Context<'_>) {
    let Some(server) = ctx.server() else { return };
    for hazard in &server.hazards {
        ctx.report(Draft::new(&hazard.what).advice(hazard.next.join("\n")));
    }
}
