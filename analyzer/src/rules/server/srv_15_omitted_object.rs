//! SRV-15: What is on a live source and in no dump of it.

use crate::edit::Safety;
use crate::finding::Severity;
use crate::rule::{Answers, Context, Doc, Draft, Rule};

/// What a server tells and no dump has.
pub const RULE: Rule = Rule {
    id: "SRV-15",
    name: "omitted-object",
    severity: Severity::Warning,
    fix: Safety::None,
    answers: Answers::purpose("of a live source: what no dump has"),
    doc: Doc {
        summary: "Something on the source that no dump has.",
        what: "Tables, functions, types, operators, collations, text search objects and whatever else a user made a part of an extension, keys whose checks are switched off, and settings of all roles (ALTER ROLE ALL SET).",
        why: "pg_dump writes CREATE EXTENSION and nothing of what belongs to it, no state of the triggers behind a key that another server could know, and pg_dumpall no setting of all roles. The target then lacks them, and no error says so.",
        server: &[],
        help: "Remove an object from its extension before the dump (ALTER EXTENSION … DROP …), and make settings of all roles settings of the database.",
        before: "",
        after: "",
        sources: Doc::sources(&[
            "pg_dump.c: checkExtensionMembership",
            "pg_dump.c: getTriggers",
            "pg_dumpall.c: dumpUserConfig",
        ]),
        link: "https://www.postgresql.org/docs/current/sql-alterextension.html",
    },
    check,
    ..Rule::DEFAULT
}
.of_servers();

fn check(ctx: &mut Context<'_>) {
    let Some(server) = ctx.server() else { return };
    for omitted in &server.omitted {
        let message = format!("{}: {}", omitted.object, omitted.why);
        ctx.report(Draft::new(message).object(omitted.object.clone()).advice(omitted.next.join("\n")));
    }
}
