//! OWN-06: privileges on configuration parameters.

use crate::edit::Safety;
use crate::facts::names::{role, roles, string};
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::role::lists::listed;

pub(crate) const RULE: Rule = Rule {
    id: "OWN-06",
    name: "parameter-grant",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("acl.parameter", "GRANT … ON PARAMETER."),
    also_answers: &["PG-15"],
    statements: &[StatementKind::GrantStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: false },
    doc: Doc {
        summary: "GRANT SET or ALTER SYSTEM ON PARAMETER.",
        what: "pg_dumpall writes privileges on parameters from 15 on.",
        why: "They belong to the superuser, who gives tsdbadmin none of them.",
        server: &["42501 permission denied for parameter log_statement"],
        help: "The statement is removed and listed. Parameters of the service are set in its console.",
        before: "CREATE ROLE grp;\nGRANT SET ON PARAMETER log_statement TO grp;",
        after: "CREATE ROLE grp;\n-- tsmigrate OWN-06: Remove it: parameters belong to the service\n-- GRANT SET ON PARAMETER log_statement TO grp;",
        sources: Doc::sources(&["PostgreSQL src/backend/catalog/aclchk.c, ExecGrant_Parameter"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, NodeEnum::GrantStmt(s))) = ctx.node() else { return };
    // To take back what nobody has is no error.
    if s.objtype != pg::ObjectType::ObjectParameterAcl as i32 || !s.is_grant {
        return;
    }
    let parameters: Vec<&str> = s.objects.iter().filter_map(string).collect();
    let Some(first) = parameters.first() else { return };
    let names = parameters.join(", ");
    let who = listed(roles(&s.grantees).map(|spec| role(spec).unwrap_or("PUBLIC")));
    let fix = FixDraft::remove("parameters belong to the service")
        .lost(format!("privileges of {who} on parameter {names}"));
    let draft = Draft::new(format!("privileges on parameter {names} are the superuser's to give"))
        .object(format!("parameter {names}"))
        .server(ServerError::new("42501", format!("permission denied for parameter {first}")))
        .fix(fix);
    ctx.report(draft);
}
