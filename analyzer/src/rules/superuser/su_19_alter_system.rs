//! SU-19: ALTER SYSTEM.

use crate::edit::Safety;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "SU-19",
    name: "alter-system",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("alter-system", "ALTER SYSTEM."),
    statements: &[StatementKind::AlterSystemStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: false },
    doc: Doc {
        summary: "ALTER SYSTEM.",
        what: "Settings of the whole server. pg_dump does not write them; scripts do.",
        why: "The service keeps the server's configuration to itself.",
        server: &[
            "42501 permission denied to set parameter \"work_mem\"",
            "42501 permission denied to perform ALTER SYSTEM RESET ALL",
        ],
        help: "It is removed. Set what is needed in the service's console (Database parameters), or for the database or a role with ALTER DATABASE … SET or ALTER ROLE … SET.",
        before: "ALTER SYSTEM SET work_mem = '64MB';",
        after: "-- tsmigrate SU-19: Remove it: the service configures the server\n-- ALTER SYSTEM SET work_mem = '64MB';",
        sources: Doc::sources(&["PostgreSQL src/backend/utils/misc/guc.c, AlterSystemSetConfigFile"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    let NodeEnum::AlterSystemStmt(s) = node else { return };
    let name = s.setstmt.as_ref().map_or("", |set| set.name.as_str());
    let (what, server) = if name.is_empty() {
        (
            "ALTER SYSTEM RESET ALL".to_owned(),
            "permission denied to perform ALTER SYSTEM RESET ALL".to_owned(),
        )
    } else {
        (format!("server setting {name}"), format!("permission denied to set parameter \"{name}\""))
    };
    let draft = Draft::new("only a superuser can change the server's configuration")
        .object(what.clone())
        .server(ServerError::new("42501", server))
        .advice("Set it in the service's console, under Database parameters.")
        .fix(FixDraft::remove("the service configures the server").lost(what));
    ctx.report(draft);
}
