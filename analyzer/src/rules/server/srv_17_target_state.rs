//! SRV-17: Something of a live target that a migration stops at.

use crate::edit::Safety;
use crate::finding::Severity;
use crate::rule::{Answers, Context, Doc, Draft, Rule};

/// Something of the target that a migration stops at.
pub const RULE: Rule = Rule {
    id: "SRV-17",
    name: "target-state",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::purpose("of two live servers: what of the target a migration stops at"),
    doc: Doc {
        summary: "Something of the target that a migration stops at.",
        what: "A target that is not empty, is older than the source or has another encoding, that takes too few sessions or locks, and names that are taken there.",
        why: "A migration looks for it before anything is written, and writes nothing.",
        server: &[
            "53200 out of shared memory",
            "53300 too many connections for role",
            "42710 role … already exists",
        ],
        help: "Put it right before the migration, as the finding says.",
        before: "",
        after: "",
        sources: Doc::sources(&["pg_settings, pg_locks, pg_stat_activity, pg_class of the target"]),
        link: "https://www.postgresql.org/docs/current/runtime-config-locks.html",
    },
    check,
    ..Rule::DEFAULT
}
.of_servers();

fn check(ctx: &mut Context<'_>) {
    let Some(server) = ctx.server() else { return };
    for hazard in &server.in_the_way {
        ctx.report(Draft::new(&hazard.what).advice(hazard.next.join("\n")));
    }
}
