//! IN-09: SET SESSION AUTHORIZATION or SET ROLE: another role than tsdbadmin makes the objects.

use crate::edit::Safety;
use crate::facts::names::text;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};

/// See the module's head.
pub const RULE: Rule = Rule {
    id: "IN-09",
    name: "session-authorization",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::Limit { slug: "dump.owner-switch", how: "SET SESSION AUTHORIZATION and SET ROLE." },
    statements: &[StatementKind::VariableSetStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: true },
    doc: Doc {
        summary: "SET SESSION AUTHORIZATION or SET ROLE: another role than tsdbadmin makes the objects.",
        what: "pg_dump --use-set-session-authorization writes SET SESSION AUTHORIZATION before each object in place of ALTER … OWNER TO; pg_dump --role writes SET ROLE at its head.",
        why: "Only a superuser may become any role. SET ROLE takes membership. Whatever follows would belong to the role and need its privileges.",
        server: &[
            "42501 permission denied to set session authorization \"app\"",
            "42501 permission denied to set role \"app\"",
            "22023 role \"app\" does not exist",
        ],
        help: "The statement is taken out: what follows becomes tsdbadmin's. For superusers of the source that is all there is to do. To keep other owners, write the dump again without --use-set-session-authorization: tsmigrate then hands the objects over.",
        before: "SET SESSION AUTHORIZATION 'postgres';",
        after: "-- tsmigrate IN-09: what follows becomes tsdbadmin's\n-- SET SESSION AUTHORIZATION 'postgres';",
        sources: &["PostgreSQL src/backend/commands/variable.c, check_session_authorization and check_role"],
        link: "https://www.postgresql.org/docs/current/sql-set-session-authorization.html",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, NodeEnum::VariableSetStmt(set))) = ctx.node() else { return };
    let session = match &*set.name {
        "session_authorization" => true,
        "role" => false,
        _ => return,
    };
    // DEFAULT and RESET have no value.
    let Some(role) = set.args.first().and_then(text) else { return };
    let admin = &ctx.target.admin;
    if role == admin || !session && role.eq_ignore_ascii_case("none") {
        return;
    }
    let granted = ctx.facts.is_member(role, admin) || ctx.target.grantable_roles.contains(role);
    let there = ctx.facts.makes_role(role) || ctx.target.has_role(role);
    if !session && granted && there {
        return;
    }
    let error = match (there, session) {
        (false, _) => ServerError::new("22023", format!("role \"{role}\" does not exist")),
        (true, true) => {
            ServerError::new("42501", format!("permission denied to set session authorization \"{role}\""))
        }
        (true, false) => ServerError::new("42501", format!("permission denied to set role \"{role}\"")),
    };
    let mut fix = FixDraft::remove(format!("what follows becomes {admin}'s"));
    // What a superuser owned becomes the administrator's anyway: see OWN-01.
    if !ctx.facts.is_superuser(role)
        && !ctx.target.reserved_roles.contains_key(role)
        && ctx.target.provider_of(role).is_none()
    {
        fix = fix.review().lost(format!("owner {role} of the objects that follow"));
    }
    ctx.report(
        Draft::new(format!("{admin} cannot become {role}"))
            .object(format!("role {role}"))
            .server(error)
            .advice(
                "Write the dump again without --use-set-session-authorization or --role, and give the roles dump with \
                 it: owners are kept then.",
            )
            .fix(fix),
    );
}
