//! SRV-02: Tables that a live source's user may not read: no dump can be made.

use crate::edit::Safety;
use crate::facts::hypertables::regclass;
use crate::finding::{ServerError, Severity};
use crate::rule::{Answers, Context, Doc, Draft, Rule};
use crate::server::list;

pub(crate) const RULE: Rule = Rule {
    id: "SRV-02",
    name: "unreadable-table",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::purpose("of a live source: tables that cannot be read"),
    doc: Doc {
        summary: "Tables that the user of the source cannot read.",
        what: "Tables and sequences on which the user has no SELECT, or whose schema it cannot use.",
        why: "pg_dump locks every table that it dumps, and reads every row. It fails at the first one that it cannot read.",
        server: &["42501 permission denied for table orders"],
        help: "Connect as the owner or as a superuser, or let this user read: GRANT pg_read_all_data TO it (PostgreSQL 14).",
        before: "",
        after: "",
        sources: Doc::sources(&["PostgreSQL src/bin/pg_dump/pg_dump.c, getTables", "has_table_privilege"]),
        link: "https://www.postgresql.org/docs/current/app-pgdump.html",
    },
    check,
    ..Rule::DEFAULT
}
.of_servers();

fn check(ctx: &mut Context<'_>) {
    let Some(server) = ctx.server() else { return };
    let Some(first) = server.unreadable.first() else { return };
    // The server's message has the name alone, without quotes.
    let name = regclass(first).map_or_else(|| first.clone(), |(_, name)| name);
    ctx.report(
        Draft::new(format!("{} cannot read {}: pg_dump fails there", server.user, list(&server.unreadable)))
            .object(format!("role {}", server.user))
            .server(ServerError::new("42501", format!("permission denied for table {name}"))),
    );
}
