//! ROLE-09: roles that tsdbadmin may not grant, and roles that are not there.

use super::roles::{Membership, Trouble, listed, missing_advice};
use super::{Context, Doc, Draft, Rule, TROUBLESHOOTING};
use crate::edit::Safety;
use crate::finding::{ServerError, Severity};

/// See the module's head.
pub const RULE: Rule = Rule {
    id: "ROLE-09",
    name: "grant-without-admin",
    severity: Severity::Error,
    fix: Safety::Safe,
    doc: Doc {
        summary: "GRANT of a role that tsdbadmin may not grant, or of one that is not there.",
        what: "Memberships in the service's own roles: postgres, tsdbadmin and others. And memberships with a role \
               that neither the dumps make nor the target has.",
        why: "Only a superuser may grant a superuser. From 16 on a role may be granted only by who has ADMIN on it, \
              and tsdbadmin has that for the roles that it made and for tsdbowner.",
        server: &[
            "42501 permission denied to grant role \"postgres\" (16 and newer)",
            "DETAIL Only roles with the SUPERUSER attribute may grant roles with the SUPERUSER attribute.",
            "42501 must be superuser to alter superusers (15 and older)",
            "42501 permission denied to grant role \"tsdbadmin\" (16 and newer)",
            "42704 role \"x\" does not exist",
        ],
        help: "The GRANT is taken out. tsdbowner can be granted in the place of tsdbadmin. A role that is not there \
               has to be made first: give the roles dump together with the others.",
        before: "CREATE ROLE app;\nGRANT postgres TO app;",
        after: "CREATE ROLE app;\n-- tsmigrate ROLE-09: postgres cannot be granted\n-- GRANT postgres TO app;",
        sources: &["PostgreSQL src/backend/commands/user.c, check_role_membership_authorization"],
        link: TROUBLESHOOTING,
    },
    check,
    finish: None,
};

fn check(ctx: &mut Context<'_>) {
    let Some(m) = Membership::of(ctx) else { return };
    refused(ctx, &m);
    missing(ctx, &m);
}

fn refused(ctx: &mut Context<'_>, m: &Membership<'_>) {
    let mine = |trouble: &Trouble<'_>| matches!(trouble, Trouble::Superuser | Trouble::Service);
    let Some((name, Some(trouble))) =
        m.granted.iter().find(|(_, trouble)| trouble.as_ref().is_some_and(mine))
    else {
        return;
    };
    let members = listed(m.members.iter().filter_map(|(name, _)| *name));
    let verb = if m.node.is_grant { "grant" } else { "revoke" };
    let error = match (ctx.target.version >= 16, *trouble == Trouble::Superuser) {
        (false, _) => ServerError::new("42501", "must be superuser to alter superusers"),
        (true, true) => ServerError::new("42501", format!("permission denied to {verb} role \"{name}\""))
            .detail(format!(
                "Only roles with the SUPERUSER attribute may {verb} roles with the SUPERUSER attribute."
            )),
        (true, false) => ServerError::new("42501", format!("permission denied to {verb} role \"{name}\""))
            .detail(format!("Only roles with the ADMIN option on role \"{name}\" may {verb} this role.")),
    };
    let mut draft = Draft::new(format!("{} may not {verb} {name}, a role of the service", ctx.target.admin))
        .object(format!("membership of {members} in {name}"))
        .server(error);
    if m.node.is_grant {
        draft = draft.advice(format!(
            "Where it stood for the rights of an administrator: GRANT tsdbowner TO {members}; is the nearest."
        ));
    }
    if let Some(mut fix) = m.without(format!("{name} cannot be granted"), mine) {
        if let Some(lost) = m.lost(mine) {
            fix = fix.lost(lost);
        }
        draft = draft.fix(fix);
    }
    ctx.report(draft);
}

fn missing(ctx: &mut Context<'_>, m: &Membership<'_>) {
    let mine = |trouble: &Trouble<'_>| matches!(trouble, Trouble::Missing);
    let granted = m.granted.iter().map(|(name, trouble)| (Some(*name), trouble));
    let members = m.members.iter().map(|(name, trouble)| (*name, trouble));
    let name = granted
        .chain(members)
        .find_map(|(name, trouble)| name.filter(|_| trouble.as_ref().is_some_and(mine)));
    let Some(name) = name else { return };
    let mut draft = Draft::new(format!(
        "role \"{name}\" is not made by these files: this fails unless the target has it"
    ))
    .object(format!("role {name}"))
    .server(ServerError::new("42704", format!("role \"{name}\" does not exist")))
    .advice(missing_advice(ctx));
    if let Some(mut fix) = m.without(format!("role {name} is not there"), mine) {
        if let Some(lost) = m.lost(mine) {
            fix = fix.lost(lost);
        }
        draft = draft.fix(fix.review());
    }
    ctx.report(draft);
}
