//! SRV-04: Transactions that are open while a database is looked at: what they write may stay behind.

use crate::edit::Safety;
use crate::finding::Severity;
use crate::rule::{Answers, Context, Doc, Draft, Rule};
use crate::server::list;

pub(crate) const RULE: Rule = Rule {
    id: "SRV-04",
    name: "open-transaction",
    severity: Severity::Warning,
    fix: Safety::None,
    answers: Answers::purpose("of a live source: transactions that stand in the way"),
    doc: Doc {
        summary: "Prepared and long-running transactions.",
        what: "Prepared transactions of the database, and transactions that have been open for more than five minutes.",
        why: "A dump is one snapshot: what is not committed when it begins is not in it. A prepared transaction keeps its locks until somebody ends it.",
        server: &[],
        help: "End them before the move: COMMIT PREPARED or ROLLBACK PREPARED for the prepared ones. Look at the others: who writes is to be stopped first.",
        before: "",
        after: "",
        sources: Doc::sources(&["pg_prepared_xacts", "pg_stat_activity.xact_start"]),
        link: "https://www.postgresql.org/docs/current/view-pg-prepared-xacts.html",
    },
    check,
    ..Rule::DEFAULT
}
.of_servers();

fn check(ctx: &mut Context<'_>) {
    let Some(server) = ctx.server() else { return };
    if !server.prepared.is_empty() {
        ctx.report(Draft::new(format!(
            "prepared transactions are not in any dump until they are committed: {}",
            list(&server.prepared)
        )));
    }
    if !server.long_transactions.is_empty() {
        ctx.report(
            Draft::new(format!(
                "transactions have been open for a long time: {}",
                list(&server.long_transactions)
            ))
            .severity(Severity::Note),
        );
    }
}
