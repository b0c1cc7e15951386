//! REP-06: Replication slots and subscriptions of a live server: no dump has them.

use crate::edit::Safety;
use crate::finding::Severity;
use crate::rule::{Answers, Context, Doc, Draft, Rule};
use crate::server::list;

pub(crate) const RULE: Rule = Rule {
    id: "REP-06",
    name: "replication-slot",
    severity: Severity::Warning,
    fix: Safety::None,
    answers: Answers::limit(
        "slots",
        "Slots are in no dump: the note on publications says so, and a live source is asked for them.",
    ),
    doc: Doc {
        summary: "Logical replication slots and subscriptions stay behind.",
        what: "Logical slots of the database, and its subscriptions.",
        why: "No dump holds a slot, and only a superuser's dump holds subscriptions. Who reads changes from a slot gets none from the target, and a subscription brings none to it.",
        server: &[],
        help: "Set the consumers up again on the target, with a first copy of their own. A slot that stays on the source keeps its WAL: drop it in the end.",
        before: "",
        after: "",
        sources: Doc::sources(&["pg_replication_slots", "pg_subscription"]),
        link: "https://www.postgresql.org/docs/current/logicaldecoding-explanation.html",
    },
    check,
    ..Rule::DEFAULT
}
.of_servers();

fn check(ctx: &mut Context<'_>) {
    let Some(server) = ctx.server() else { return };
    if !server.slots.is_empty() {
        ctx.report(Draft::new(format!(
            "logical replication slots are not moved: {} (wal_level is {})",
            list(&server.slots),
            server.wal_level
        )));
    }
    if !server.subscriptions.is_empty() {
        ctx.report(Draft::new(format!("subscriptions are not moved: {}", list(&server.subscriptions))));
    }
}
