//! ROLE-02: roles that belong to another provider, not to an application.

use super::known::provider;
use super::lists::{items, listed, role_range, trim};
use super::membership::{Membership, Trouble};
use crate::edit::Safety;
use crate::facts::names::{option, role, roles, string};
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "ROLE-02",
    name: "provider-role",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("role.provider-roles", "Roles of other providers."),
    statements: &[
        StatementKind::AlterDefaultPrivilegesStmt,
        StatementKind::AlterRoleSetStmt,
        StatementKind::AlterRoleStmt,
        StatementKind::CommentStmt,
        StatementKind::CreateRoleStmt,
        StatementKind::GrantRoleStmt,
        StatementKind::GrantStmt,
    ],
    in_bodies: InBodies::Yes { queries: false, by_name: true },
    doc: Doc {
        summary: "A role of another provider: rds_superuser, cloudsqlsuperuser, azure_pg_admin and their like.",
        what: "Managed services have roles of their own, which their dumps create, alter, grant and grant \
               privileges to. No application needs them on another service.",
        why: "They do not exist: what names them fails. They cannot be made to mean there what they mean on the source either: they stand for powers that the source's provider gives.",
        server: &["42704 role \"rds_superuser\" does not exist"],
        help: "The statements are removed, and the names are removed from GRANT lists. What such a role owned is owned by tsdbadmin on the target. Members of a provider's administrator group lose those powers: GRANT tsdbowner is the nearest that a service has.",
        before: "GRANT rds_superuser TO app;",
        after: "-- tsmigrate ROLE-02: Remove it: rds_superuser is a role of Amazon RDS and Aurora\n-- GRANT rds_superuser TO app;",
        sources: Doc::sources(&[
            "timescale/docs, migrate, Amazon RDS: the sed script removes rds roles",
            "the providers' own lists of system roles (see tsmigrate's target file)",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    match node {
        NodeEnum::CreateRoleStmt(s) => whole(ctx, &s.role, true),
        NodeEnum::AlterRoleStmt(s) => {
            // ALTER GROUP … ADD USER names members, too.
            let members = option(&s.options, "rolemembers").and_then(|o| o.arg.as_ref()?.node.as_ref());
            if let Some(NodeEnum::List(members)) = members
                && let Some(name) = roles(&members.items).filter_map(role).find(|n| gone(ctx, n).is_some())
            {
                whole(ctx, name, false);
            } else if let Some(name) = s.role.as_ref().and_then(role) {
                whole(ctx, name, false);
            }
        }
        NodeEnum::AlterRoleSetStmt(s) => {
            if let Some(name) = s.role.as_ref().and_then(role) {
                whole(ctx, name, false);
            }
        }
        NodeEnum::CommentStmt(s) if s.objtype == pg::ObjectType::ObjectRole as i32 => {
            if let Some(name) = s.object.as_deref().and_then(string) {
                whole(ctx, name, false);
            }
        }
        NodeEnum::GrantRoleStmt(_) => membership(ctx),
        NodeEnum::GrantStmt(s) => grantees(ctx, s, "/GrantStmt/grantees", 0),
        NodeEnum::AlterDefaultPrivilegesStmt(s) => {
            let owners = option(&s.options, "roles").and_then(|o| o.arg.as_ref()?.node.as_ref());
            if let Some(NodeEnum::List(list)) = owners
                && !list.items.is_empty()
                && roles(&list.items).all(|spec| role(spec).is_some_and(|name| gone(ctx, name).is_some()))
            {
                let names = listed(roles(&list.items).filter_map(role));
                let range = roles(&list.items).next().and_then(|spec| role_range(statement, spec));
                let from = roles(&list.items).filter_map(role).find_map(|name| gone(ctx, name));
                let from = from.unwrap_or_default();
                let names_of = || roles(&list.items).filter_map(role);
                let name = names_of().find(|name| !is_made(ctx, name)).or_else(|| names_of().next());
                let fix = FixDraft::remove(format!(
                    "{names} is a role of {from}: it will create no objects on the target"
                ))
                .lost(format!("default privileges of {names}"));
                let mut draft = missing(ctx, name.unwrap_or_default(), from, Some(fix));
                if let Some(range) = range {
                    draft = draft.at(range);
                }
                ctx.report(draft);
            } else if let Some(action) = &s.action {
                let from = statement.words(&[if action.is_grant { "GRANT" } else { "REVOKE" }]);
                let path = "/AlterDefaultPrivilegesStmt/action/grantees";
                grantees(ctx, action, path, from.map_or(0, |range| range.end));
            }
        }
        _ => {}
    }
}

/// The provider of a role that will not be on the target.
fn gone<'a>(ctx: &Context<'a>, name: &str) -> Option<&'a str> {
    if ctx.facts.makes_role(name) || ctx.target.has_role(name) { None } else { provider(ctx, name) }
}

/// A role that the dump does not make is missing. One that it makes would be there, but the rewrite leaves it out.
fn missing(ctx: &Context<'_>, name: &str, from: &str, fix: Option<FixDraft>) -> Draft {
    let draft = if fix.is_some() && is_made(ctx, name) {
        Draft::new(format!("{name} is a role of {from}: it means nothing on the target"))
            .severity(Severity::Warning)
    } else {
        Draft::new(format!("{name} is a role of {from}: the target has none of that name"))
            .server(ServerError::missing_role(name))
    };
    let draft = draft.object(format!("role {name}"));
    match fix {
        Some(fix) => draft.fix(fix),
        None => draft,
    }
}

/// True where the dump itself makes the role.
fn is_made(ctx: &Context<'_>, name: &str) -> bool {
    ctx.facts.roles.get(name).is_some_and(|role| role.created.is_some())
}

fn whole(ctx: &mut Context<'_>, name: &str, create: bool) {
    let Some(from) = gone(ctx, name) else { return };
    let mut draft = missing(ctx, name, from, Some(FixDraft::remove(format!("{name} is a role of {from}"))));
    if create {
        // The server would do it; the role would be an empty name.
        draft = Draft::new(format!("{name} is a role of {from}: it means nothing on the target"))
            .object(format!("role {name}"))
            .severity(Severity::Warning)
            .fix(
                FixDraft::remove(format!("{name} is a role of {from}"))
                    .lost(format!("role {name}, which stands for powers that {from} gives")),
            );
    }
    ctx.report(draft);
}

fn membership(ctx: &mut Context<'_>) {
    let Some(m) = Membership::of(ctx) else { return };
    let mine = |trouble: &Trouble<'_>| matches!(trouble, Trouble::Provider(_));
    let found = m
        .granted
        .iter()
        .map(|(name, trouble)| (Some(*name), trouble))
        .chain(m.members.iter().map(|(name, trouble)| (*name, trouble)))
        .find_map(|(name, trouble)| match (name, trouble) {
            (Some(name), Some(Trouble::Provider(from))) => Some((name, *from)),
            _ => None,
        });
    let Some((name, from)) = found else { return };
    let title = format!("{name} is a role of {from}");
    let fix = m.without(title, mine).map(|fix| match m.lost(mine) {
        Some(lost) => fix.lost(lost),
        None => fix,
    });
    let draft = missing(ctx, name, from, fix);
    ctx.report(draft);
}

/// Takes providers' roles out of the grantees of a GRANT of privileges.
fn grantees(ctx: &mut Context<'_>, s: &pg::GrantStmt, path: &str, from: usize) {
    let Some(statement) = ctx.statement() else { return };
    let specs: Vec<&pg::RoleSpec> = roles(&s.grantees).collect();
    let found: Vec<(usize, &str, &str)> = specs
        .iter()
        .enumerate()
        .filter_map(|(index, spec)| {
            let name = role(spec)?;
            Some((index, name, gone(ctx, name)?))
        })
        .collect();
    // One that is missing altogether comes first: the server refuses that one.
    let all = || found.iter();
    let Some(&(first, name, from_provider)) = all().find(|f| !is_made(ctx, f.1)).or_else(|| all().next())
    else {
        return;
    };
    let names = listed(found.iter().map(|(_, name, _)| *name));
    let title = format!("{names} is a role of {from_provider}");
    let fix = if found.len() == specs.len() {
        Some(FixDraft::remove(title))
    } else {
        let drop: Vec<usize> = found.iter().map(|(index, ..)| *index).collect();
        statement.words_from(from, &[if s.is_grant { "TO" } else { "FROM" }]).and_then(|word| {
            let items = items(statement, word.end, &["WITH", "GRANTED", "CASCADE", "RESTRICT"]);
            trim(FixDraft::without(title), &items, specs.len(), path, &drop)
        })
    };
    let mut draft = missing(ctx, name, from_provider, fix);
    if let Some(range) = specs.get(first).and_then(|spec| role_range(statement, spec)) {
        draft = draft.at(range);
    }
    ctx.report(draft);
}
