//! ROLE-03: names that PostgreSQL keeps for itself.

use crate::edit::Safety;
use crate::facts::names::role;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "ROLE-03",
    name: "reserved-role-name",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("role.reserved-name", "Names that PostgreSQL keeps for itself."),
    statements: &[
        StatementKind::AlterRoleSetStmt,
        StatementKind::AlterRoleStmt,
        StatementKind::CreateRoleStmt,
        StatementKind::RenameStmt,
    ],
    doc: Doc {
        summary: "A role whose name begins with pg_.",
        what: "CREATE ROLE pg_x, ALTER ROLE … RENAME TO pg_x, and ALTER ROLE pg_monitor. pg_dumpall writes none of \
               them: they are written by hand, or the work of a fork of PostgreSQL.",
        why: "Names that begin with pg_ are kept for PostgreSQL's own roles, and those cannot be changed.",
        server: &[
            "42939 role name \"pg_x\" is reserved",
            "DETAIL Role names starting with \"pg_\" are reserved.",
            "DETAIL Cannot alter reserved roles.",
        ],
        help: "Rename the role on the source, where all that names it follows: ALTER ROLE … RENAME TO …. A change of one of PostgreSQL's own roles is removed.",
        before: "ALTER ROLE pg_monitor SET work_mem TO '1GB';",
        after: "-- tsmigrate ROLE-03: Remove it: pg_monitor is PostgreSQL's own\n-- ALTER ROLE pg_monitor SET work_mem TO '1GB';",
        sources: Doc::sources(&["PostgreSQL src/backend/commands/user.c, CreateRole, AlterRole"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    let (name, new) = match node {
        NodeEnum::CreateRoleStmt(s) => (s.role.as_str(), true),
        NodeEnum::RenameStmt(s) if s.rename_type == pg::ObjectType::ObjectRole as i32 => {
            (s.newname.as_str(), true)
        }
        NodeEnum::AlterRoleStmt(s) => match s.role.as_ref().and_then(role) {
            Some(name) => (name, false),
            None => return,
        },
        NodeEnum::AlterRoleSetStmt(s) => match s.role.as_ref().and_then(role) {
            Some(name) => (name, false),
            None => return,
        },
        _ => return,
    };
    if !name.starts_with("pg_") {
        return;
    }
    let error = ServerError::new("42939", format!("role name \"{name}\" is reserved"));
    let draft = Draft::new(format!("role names that begin with pg_ are PostgreSQL's own: \"{name}\""))
        .object(format!("role {name}"));
    if new {
        ctx.report(
            draft
                .server(error.detail("Role names starting with \"pg_\" are reserved."))
                .advice("Rename the role on the source: all that names it follows."),
        );
    } else {
        ctx.report(
            draft.server(error.detail("Cannot alter reserved roles.")).fix(
                FixDraft::remove(format!("{name} is PostgreSQL's own"))
                    .lost(format!("this change of role {name}")),
            ),
        );
    }
}
