//! SRV-16: A state of a live source that makes a migration fail late, or the target another thing.

use crate::edit::Safety;
use crate::finding::Severity;
use crate::rule::{Answers, Context, Doc, Draft, Rule};

/// A state of the source that does not move, or fails late.
pub const RULE: Rule = Rule {
    id: "SRV-16",
    name: "source-state",
    severity: Severity::Warning,
    fix: Safety::None,
    answers: Answers::purpose("of a live source: what fails late, or means something else after a move"),
    doc: Doc {
        summary: "A state of the source that does not move, or fails late.",
        what: "Views whose owner reads their tables as a superuser alone, collations whose version has changed, ages of transaction ids, and values that are transaction ids of the source.",
        why: "No statement of a dump is wrong, and the restore shows nothing, or fails when all rows are loaded.",
        server: &[
            "42501 permission denied for table … (when the view is read)",
            "23505 could not create unique index",
        ],
        help: "Do on the source, before the dump, what the finding says.",
        before: "",
        after: "",
        sources: Doc::sources(&[
            "pg_database.datcollversion, datfrozenxid",
            "PostgreSQL documentation, Rules and Privileges",
        ]),
        link: "https://www.postgresql.org/docs/current/rules-privileges.html",
    },
    check,
    ..Rule::DEFAULT
}
.of_servers();

fn check(ctx: &mut Context<'_>) {
    let Some(server) = ctx.server() else { return };
    for state in &server.states {
        let message = format!("{}: {}", state.object, state.why);
        ctx.report(Draft::new(message).object(state.object.clone()).advice(state.next.join("\n")));
    }
}
