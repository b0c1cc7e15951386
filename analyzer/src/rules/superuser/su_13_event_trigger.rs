//! SU-13: event triggers.

use crate::edit::Safety;
use crate::facts::names::quoted;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "SU-13",
    name: "event-trigger",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("event-trigger", "Event triggers."),
    statements: &[StatementKind::CreateEventTrigStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: false },
    doc: Doc {
        summary: "CREATE EVENT TRIGGER.",
        what: "A function that runs on DDL or on login.",
        why: "It would run in everybody's sessions, the service's own too: only a superuser can create one.",
        server: &[
            "42501 permission denied to create event trigger \"audit\"",
            "HINT Must be superuser to create an event trigger.",
        ],
        help: "It is removed; its function stays. What it did on DDL (checks, logging, owners) has to be done elsewhere.",
        before: "CREATE EVENT TRIGGER audit ON ddl_command_end\n   EXECUTE FUNCTION app.audit();",
        after: "-- tsmigrate SU-13: Remove it: the target cannot have event triggers\n-- CREATE EVENT TRIGGER audit ON ddl_command_end\n--    EXECUTE FUNCTION app.audit();",
        sources: Doc::sources(&["PostgreSQL src/backend/commands/event_trigger.c, CreateEventTrigger"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    let NodeEnum::CreateEventTrigStmt(s) = node else { return };
    let words = format!("event trigger {}", quoted(&s.trigname));
    let error = format!("permission denied to create event trigger \"{}\"", s.trigname);
    let draft = Draft::new(format!("only a superuser can create {words}"))
        .object(words.clone())
        .server(ServerError::new("42501", error).hint("Must be superuser to create an event trigger."))
        .fix(FixDraft::remove("the target cannot have event triggers").lost(words));
    ctx.report(draft);
}
