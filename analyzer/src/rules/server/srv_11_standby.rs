//! SRV-11: The live source is a standby.

use crate::edit::Safety;
use crate::finding::Severity;
use crate::rule::{Answers, Context, Doc, Draft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "SRV-11",
    name: "standby",
    severity: Severity::Warning,
    fix: Safety::None,
    answers: Answers::purpose("of a live source: a standby gives no snapshot"),
    doc: Doc {
        summary: "The source is a standby.",
        what: "A server in recovery.",
        why: "A standby exports no snapshot, so tsmigrate migrate cannot read from it; and what is running on the primary is not seen there.",
        server: &["25006 cannot export a snapshot during recovery"],
        help: "Name the primary.",
        before: "",
        after: "",
        sources: Doc::sources(&["pg_is_in_recovery"]),
        link: "https://www.postgresql.org/docs/current/functions-admin.html",
    },
    check,
    ..Rule::DEFAULT
}
.of_servers();

fn check(ctx: &mut Context<'_>) {
    if ctx.server().is_some_and(|server| server.in_recovery) {
        ctx.report(Draft::new("the source is a standby: a migration needs the primary"));
    }
}
