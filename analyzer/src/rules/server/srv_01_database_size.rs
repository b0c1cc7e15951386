//! SRV-01: How much there is to move.

use crate::edit::Safety;
use crate::finding::Severity;
use crate::rule::{Answers, Context, Doc, Draft, Rule};
use crate::server::{bytes, list};

pub(crate) const RULE: Rule = Rule {
    id: "SRV-01",
    name: "database-size",
    severity: Severity::Warning,
    fix: Safety::None,
    answers: Answers::purpose("of a live source: how much there is to move"),
    doc: Doc {
        summary: "How much there is to move, and the biggest tables.",
        what: "The size of a live database, and its biggest tables with their chunks or partitions, as the planner's statistics know them.",
        why: "A service grows its disk by itself, at most once in six hours. Above 400 GB it has to be given the room before.",
        server: &[],
        help: "Plan the time: the vendor recommends a dump for up to 100 GB. Above 400 GB, ask the support for the room first.",
        before: "",
        after: "",
        sources: Doc::sources(&["Timescale documentation, migrate with downtime", "pg_database_size, pg_class.relpages"]),
        link: "https://www.tigerdata.com/docs/migrate/latest/pg-dump-and-restore",
    },
    check,
    ..Rule::DEFAULT
}
.of_servers();

/// What a service is given room for only on request, in bytes.
const ON_REQUEST: u64 = 400_000_000_000;

fn check(ctx: &mut Context<'_>) {
    let Some(server) = ctx.server() else { return };
    let tables: Vec<String> =
        server.tables.iter().map(|(name, size)| format!("{name} {}", bytes(*size))).collect();
    let mut message = format!("the database has {}", bytes(server.size));
    if !tables.is_empty() {
        message = format!("{message}; its biggest tables, about: {}", list(&tables));
    }
    let severity = if server.size > ON_REQUEST { Severity::Warning } else { Severity::Note };
    ctx.report(Draft::new(message).severity(severity).object(format!("database {}", server.database)));
}
