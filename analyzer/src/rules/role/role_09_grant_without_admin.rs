//! ROLE-09: roles that tsdbadmin cannot grant, and roles that are not there.

use super::known::{missing_advice, missing_message};
use super::lists::{items, listed, trim};
use super::membership::{Membership, Trouble, granted_trouble, member_trouble};
use crate::edit::Safety;
use crate::facts::names::{options, role, roles};
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "ROLE-09",
    name: "grant-without-admin",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("role.grant-not-admin", "Memberships in superusers and in roles of the service."),
    also_answers: &["PG-16"],
    statements: &[StatementKind::CreateRoleStmt, StatementKind::GrantRoleStmt],
    doc: Doc {
        summary: "GRANT of a role that tsdbadmin cannot grant, or of one that does not exist.",
        what: "Memberships in the service's own roles: postgres, tsdbadmin and others. And memberships with a role \
               that neither the dumps create nor the target has, and those that make a role a member of itself.",
        why: "Only a superuser can grant a superuser. From 16 on only who has ADMIN on a role can grant it, \
              and tsdbadmin has that for the roles that it created and for tsdbowner.",
        server: &[
            "42501 permission denied to grant role \"postgres\" (16 and newer)",
            "DETAIL Only roles with the SUPERUSER attribute may grant roles with the SUPERUSER attribute.",
            "42501 must be superuser to alter superusers (15 and older)",
            "42501 permission denied to grant role \"tsdbadmin\" (16 and newer)",
            "42704 role \"x\" does not exist",
            "0LP01 role \"x\" is a member of role \"y\"",
        ],
        help: "The GRANT is removed. tsdbowner can be granted in the place of tsdbadmin. A role that does not exist has to be created first: give the roles dump together with the others.",
        before: "CREATE ROLE app;\nGRANT postgres TO app;",
        after: "CREATE ROLE app;\n-- tsmigrate ROLE-09: Remove it: postgres cannot be granted\n-- GRANT postgres TO app;",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/user.c, check_role_membership_authorization",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    if let Some((_, NodeEnum::CreateRoleStmt(s))) = ctx.node() {
        lists(ctx, s);
    }
    let Some(m) = Membership::of(ctx) else { return };
    refused(ctx, &m);
    missing(ctx, &m);
    circle(ctx, &m);
}

/// A role that would be a member of itself, through others.
fn circle(ctx: &mut Context<'_>, m: &Membership<'_>) {
    let mine = |trouble: &Trouble<'_>| matches!(trouble, Trouble::Circle(_));
    let of_granted = m.granted.iter().find_map(|(name, trouble)| match trouble {
        Some(Trouble::Circle(member)) => Some((*name, *member)),
        _ => None,
    });
    let of_members = || {
        m.members.iter().find_map(|(name, trouble)| match trouble {
            Some(Trouble::Circle(granted)) => Some((*granted, (*name)?)),
            _ => None,
        })
    };
    let Some((granted, member)) = of_granted.or_else(of_members) else { return };
    let text = format!("role \"{granted}\" is a member of role \"{member}\"");
    let mut draft = Draft::new(format!("{member} cannot be a member of {granted}, which is a member of it"))
        .object(format!("membership of {member} in {granted}"))
        .server(ServerError::new("0LP01", text));
    if let Some(fix) = m.without(format!("{granted} is a member of {member}"), mine) {
        draft = draft.fix(fix.review().lost(format!("membership of {member} in {granted}")));
    }
    ctx.report(draft);
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
    let mut draft = Draft::new(format!("{} cannot {verb} {name}, a role of the service", ctx.target.admin))
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
    let mut draft = Draft::new(missing_message(name))
        .object(format!("role {name}"))
        .server(ServerError::missing_role(name))
        .advice(missing_advice(ctx));
    if let Some(mut fix) = m.without(format!("role {name} does not exist"), mine) {
        if let Some(lost) = m.lost(mine) {
            fix = fix.lost(lost);
        }
        draft = draft.fix(fix.review());
    }
    ctx.report(draft);
}

/// `IN ROLE`, `ROLE` and `ADMIN` of CREATE ROLE: memberships, too.
fn lists(ctx: &mut Context<'_>, s: &pg::CreateRoleStmt) {
    let Some(statement) = ctx.statement() else { return };
    let starts: Vec<usize> =
        options(&s.options).filter_map(|option| usize::try_from(option.location).ok()).collect();
    for (index, option) in options(&s.options).enumerate() {
        let granted = option.defname == "addroleto";
        if !granted && !matches!(option.defname.as_str(), "rolemembers" | "adminmembers") {
            continue;
        }
        let Some(NodeEnum::List(list)) = option.arg.as_ref().and_then(|arg| arg.node.as_ref()) else {
            continue;
        };
        let troubles: Vec<(usize, &str, Trouble<'_>)> = roles(&list.items)
            .enumerate()
            .filter_map(|(at, spec)| {
                let name = role(spec)?;
                let trouble = if granted { granted_trouble(ctx, name) } else { member_trouble(ctx, name) };
                Some((at, name, trouble?))
            })
            .collect();
        let Some((_, name, trouble)) = troubles.first() else { continue };
        let names = listed(troubles.iter().map(|(_, name, _)| *name));
        let error = match trouble {
            Trouble::Provider(_) | Trouble::Missing | Trouble::NotYet(_) => ServerError::missing_role(name),
            _ if ctx.target.version <= 15 => {
                ServerError::new("42501", "must be superuser to alter superusers")
            }
            _ => ServerError::new("42501", format!("permission denied to grant role \"{name}\"")),
        };
        let loses = if granted {
            format!("membership of {} in {names}", s.role)
        } else {
            format!("membership of {names} in {}", s.role)
        };
        let unsure = troubles.iter().any(|(.., trouble)| *trouble == Trouble::Missing);
        let title = format!("Remove {names}");
        let next = usize::try_from(option.location).ok().and_then(|from| {
            let until = starts.iter().copied().filter(|start| *start > from).min();
            let until = until.unwrap_or(statement.body().end);
            Some(from..statement.code().rfind(|token| token.end <= until)?.end)
        });
        let fix = next.and_then(|clause| {
            let path = format!("/CreateRoleStmt/options/{index}");
            if troubles.len() == list.items.len() {
                let change = Change::Remove(path);
                return Some(FixDraft::edit(title).delete(statement.with_gap(&clause)).change(change));
            }
            let words = statement.code().filter(|token| token.start >= clause.start);
            let names = words.take(if granted { 2 } else { 1 }).last()?.end;
            let items: Vec<_> = items(statement, names, &[])
                .into_iter()
                .filter(|item| item.start < clause.end)
                .map(|item| item.start..item.end.min(clause.end))
                .collect();
            let drop: Vec<usize> = troubles.iter().map(|(at, ..)| *at).collect();
            trim(
                FixDraft::edit(title),
                &items,
                list.items.len(),
                &format!("{path}/DefElem/arg/List/items"),
                &drop,
            )
        });
        let mut draft = Draft::new(format!("{names} cannot stand in a list of CREATE ROLE"))
            .object(format!("role {}", s.role))
            .server(error);
        if unsure {
            draft = draft.advice(missing_advice(ctx));
        }
        if let Some(fix) = fix {
            let fix = fix.lost(loses);
            draft = draft.fix(if unsure { fix.review() } else { fix });
        }
        ctx.report(draft);
    }
}
