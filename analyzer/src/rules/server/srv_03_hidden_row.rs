//! SRV-03: Row-level security hides rows from a live source's user.

use crate::edit::Safety;
use crate::facts::hypertables::regclass;
use crate::finding::{ServerError, Severity};
use crate::rule::{Context, Doc, Draft, Rule};
use crate::server::list;

pub(crate) const RULE: Rule = Rule {
    id: "SRV-03",
    name: "hidden-row",
    severity: Severity::Error,
    fix: Safety::None,
    also_answers: &["RLS-01"],
    doc: Doc {
        summary: "Row-level security would hide rows from the dump.",
        what: "Tables with row-level security that holds for the user of the source.",
        why: "pg_dump sets row_security = off, so that it fails where it would not see all rows. With --enable-row-security it would dump some of them, in silence.",
        server: &["42501 query would be affected by row-level security policy for table \"orders\""],
        help: "Connect as a superuser, as a role with BYPASSRLS, or as the owner where the table does not force the policies on it.",
        before: "",
        after: "",
        sources: Doc::sources(&["row_security_active", "PostgreSQL src/backend/utils/misc/rls.c"]),
        link: "https://www.postgresql.org/docs/current/ddl-rowsecurity.html",
    },
    check,
    ..Rule::DEFAULT
}
.of_servers();

fn check(ctx: &mut Context<'_>) {
    let Some(server) = ctx.server() else { return };
    let Some(first) = server.hidden_rows.first() else { return };
    // The server's message has the name alone, without quotes.
    let name = regclass(first).map_or_else(|| first.clone(), |(_, name)| name);
    let text = format!("query would be affected by row-level security policy for table \"{name}\"");
    ctx.report(
        Draft::new(format!(
            "row-level security holds for {}: pg_dump cannot read {}",
            server.user,
            list(&server.hidden_rows)
        ))
        .object(format!("role {}", server.user))
        .server(ServerError::new("42501", text)),
    );
}
