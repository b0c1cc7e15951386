//! TSP-02: Options, owner, comment or privileges of a tablespace.

use super::tsp_03_default_tablespace::{is_usable, no_tablespace};
use crate::edit::Safety;
use crate::facts::names::{string, strings};
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "TSP-02",
    name: "tablespace-attributes",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "tablespace.attrs",
        "Settings, owners, privileges, comments and labels of tablespaces.",
    ),
    statements: &[
        StatementKind::AlterOwnerStmt,
        StatementKind::AlterTableSpaceOptionsStmt,
        StatementKind::CommentStmt,
        StatementKind::GrantStmt,
        StatementKind::RenameStmt,
    ],
    in_bodies: InBodies::Yes { queries: false, by_name: true },
    doc: Doc {
        summary: "Options, owner, comment or privileges of a tablespace.",
        what: "ALTER TABLESPACE, COMMENT ON TABLESPACE, GRANT and REVOKE ON TABLESPACE.",
        why: "The tablespace does not exist there; the server's own, pg_default and pg_global, belong to its superuser.",
        server: &[
            "42704 tablespace \"ts1\" does not exist",
            "42501 must be owner of tablespace pg_default",
            "42501 permission denied for tablespace pg_default",
        ],
        help: "The statement is removed. Everybody can create objects in the service's storage; its costs for the planner are the service's.",
        before: "GRANT ALL ON TABLESPACE ts1 TO app;",
        after: "-- tsmigrate TSP-02: Remove it: the target has no tablespaces of its users\n-- GRANT ALL ON TABLESPACE ts1 TO app;",
        sources: Doc::sources(&["PostgreSQL src/backend/commands/tablespace.c; catalog/aclchk.c"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    let tablespace = pg::ObjectType::ObjectTablespace as i32;
    let object = |node: &'_ Option<Box<pg::Node>>| node.as_deref().and_then(string).map(str::to_owned);
    let (name, what) = match node {
        NodeEnum::AlterTableSpaceOptionsStmt(s) => (Some(s.tablespacename.clone()), "options"),
        NodeEnum::AlterOwnerStmt(s) if s.object_type == tablespace => (object(&s.object), "owner"),
        NodeEnum::RenameStmt(s) if s.rename_type == tablespace => (Some(s.subname.clone()), "new name"),
        NodeEnum::CommentStmt(s) if s.objtype == tablespace => (object(&s.object), "comment"),
        NodeEnum::GrantStmt(s) if s.objtype == tablespace => {
            let names = strings(&s.objects);
            let foreign = names.iter().find(|name| !is_usable(name)).or(names.first());
            (foreign.map(|name| (*name).to_owned()), "privileges")
        }
        _ => return,
    };
    let Some(name) = name else { return };
    let error = match what {
        _ if !is_usable(&name) && name != "pg_global" => no_tablespace(&name),
        "privileges" => ServerError::new("42501", format!("permission denied for tablespace {name}")),
        _ => ServerError::new("42501", format!("must be owner of tablespace {name}")),
    };
    ctx.report(
        Draft::new(format!("the {what} of tablespace \"{name}\" cannot be set on the target"))
            .object(format!("tablespace {name}"))
            .server(error)
            .fix(
                FixDraft::remove("the target has no tablespaces of its users")
                    .lost(format!("{what} of tablespace {name}")),
            ),
    );
}
