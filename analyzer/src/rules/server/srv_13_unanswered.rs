//! SRV-13: What a live server did not answer.

use crate::edit::Safety;
use crate::finding::Severity;
use crate::rule::{Answers, Context, Doc, Draft, Rule};
use crate::server::list;

pub(crate) const RULE: Rule = Rule {
    id: "SRV-13",
    name: "unanswered",
    severity: Severity::Note,
    fix: Safety::None,
    answers: Answers::purpose("of a live source: what it did not answer"),
    doc: Doc {
        summary: "Questions that the server did not answer.",
        what: "What was asked of a live source, and refused or not answered in time.",
        why: "The report lacks what the answers would have told.",
        server: &[],
        help: "Ask again as a superuser, or when nothing holds the locks.",
        before: "",
        after: "",
        sources: Doc::sources(&["tsmigrate itself"]),
        link: "https://www.postgresql.org/docs/current/predefined-roles.html",
    },
    check,
    ..Rule::DEFAULT
}
.of_servers();

fn check(ctx: &mut Context<'_>) {
    let Some(server) = ctx.server() else { return };
    if !server.unanswered.is_empty() {
        ctx.report(Draft::new(format!("the server did not answer: {}", list(&server.unanswered))));
    }
}
