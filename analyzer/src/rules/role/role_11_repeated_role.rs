//! ROLE-11: roles that are made twice, dropped, or changed without being there.

use super::known::{Known, SUPERUSER, known, look_into_block, missing_advice, missing_message};
use super::lists::listed;
use crate::edit::Safety;
use crate::facts::names::{role, roles, string};
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "ROLE-11",
    name: "repeated-or-dropped-role",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "role.misc",
        "Roles created twice, comments, labels, DROP ROLE. Whether a VALID UNTIL has expired is not told: the analysis has no clock.",
    ),
    statements: &[
        StatementKind::AlterRoleSetStmt,
        StatementKind::AlterRoleStmt,
        StatementKind::CommentStmt,
        StatementKind::CreateRoleStmt,
        StatementKind::DoStmt,
        StatementKind::DropRoleStmt,
        StatementKind::RenameStmt,
    ],
    doc: Doc {
        summary: "A role that is created a second time, dropped, or changed without existing.",
        what: "DROP ROLE of pg_dumpall --clean, CREATE ROLE of a role that an earlier dump made, RENAME TO the \
               name of one, and ALTER or COMMENT of a role that nothing makes.",
        why: "On a fresh target there is nothing to drop, and the service's own roles must stay. A second CREATE of \
              the same role fails.",
        server: &[
            "42704 role \"app\" does not exist",
            "42710 role \"app\" already exists",
            "42501 permission denied to drop role (16 and newer)",
            "42501 must be superuser to drop superusers (15 and older)",
            "55006 current user cannot be dropped",
        ],
        help: "DROP ROLE and the second CREATE ROLE are removed; the ALTER ROLE that follows brings the attributes. DROP ROLE IF EXISTS of a role that does not exist is harmless and stays.",
        before: "DROP ROLE app;",
        after: "-- tsmigrate ROLE-11: Remove it: a fresh target has nothing to drop\n-- DROP ROLE app;",
        sources: Doc::sources(&[
            "PostgreSQL src/bin/pg_dump/pg_dumpall.c, dropRoles",
            "src/backend/commands/user.c, DropRole",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    match node {
        NodeEnum::CreateRoleStmt(s) if ctx.facts.makes_role(&s.role) && !ctx.target.has_role(&s.role) => {
            let name = s.role.as_str();
            let mut fix = FixDraft::remove(format!("role {name} is created above")).present();
            if !s.options.is_empty() {
                fix = fix.review().lost(format!("attributes of role {name} in this statement"));
            }
            let first = ctx.facts.roles.get(name).and_then(|role| role.created);
            let mut draft = Draft::new(format!("role \"{name}\" is created a second time"))
                .object(format!("role {name}"))
                .server(ServerError::new("42710", format!("role \"{name}\" already exists")))
                .fix(fix);
            if let Some(place) = first {
                draft = draft.related(place, format!("role {name} is created here"));
            }
            ctx.report(draft);
        }
        NodeEnum::DoStmt(_) => look_into_block(ctx),
        NodeEnum::RenameStmt(s) if s.rename_type == pg::ObjectType::ObjectRole as i32 => {
            let name = s.newname.as_str();
            let taken = ctx.target.has_role(name) && !name.starts_with("pg_") || ctx.facts.makes_role(name);
            if taken && known(ctx, &s.subname) == Known::Made {
                let draft = Draft::new(format!("role {name} exists: {} cannot get its name", s.subname))
                    .object(format!("role {}", s.subname))
                    .server(ServerError::new("42710", format!("role \"{name}\" already exists")))
                    .advice("Give it another name.");
                ctx.report(draft);
            }
        }
        NodeEnum::DropRoleStmt(s) => drop_role(ctx, s),
        NodeEnum::AlterRoleStmt(s) => missing(ctx, s.role.as_ref().and_then(role)),
        NodeEnum::AlterRoleSetStmt(s) => missing(ctx, s.role.as_ref().and_then(role)),
        NodeEnum::CommentStmt(s) if s.objtype == pg::ObjectType::ObjectRole as i32 => {
            missing(ctx, s.object.as_deref().and_then(string));
        }
        _ => {}
    }
}

fn drop_role(ctx: &mut Context<'_>, s: &pg::DropRoleStmt) {
    let names: Vec<&str> = roles(&s.roles).filter_map(role).collect();
    let new = ctx.target.version >= 16;
    let mut warning = None;
    let mut error = None;
    for name in &names {
        if ctx.target.reserved_roles.contains_key(*name) || name.starts_with("pg_") {
            let kept = if *name == SUPERUSER && ctx.target.installed_in("timescaledb").is_some() {
                // TimescaleDB looks first (process_utility.c, process_drop_role).
                Some(ServerError::new(
                    "2BP01",
                    format!("role \"{name}\" cannot be dropped because some objects depend on it"),
                ))
            } else if *name == SUPERUSER && new {
                Some(ServerError::new("42501", "permission denied to drop role").detail(
                    "Only roles with the SUPERUSER attribute may drop roles with the SUPERUSER attribute.",
                ))
            } else if *name == SUPERUSER {
                Some(ServerError::new("42501", "must be superuser to drop superusers"))
            } else if *name == ctx.target.admin {
                Some(ServerError::new("55006", "current user cannot be dropped"))
            } else if ctx.target.predefined_roles.contains_key(*name)
                && (!new || ctx.target.grantable_roles.contains(*name))
            {
                Some(ServerError::new(
                    "2BP01",
                    format!("cannot drop role {name} because it is required by the database system"),
                ))
            } else if new && !ctx.target.grantable_roles.contains(*name) {
                Some(ServerError::new("42501", "permission denied to drop role").detail(format!(
                    "Only roles with the CREATEROLE attribute and the ADMIN option on role \"{name}\" may drop this role."
                )))
            } else {
                warning.get_or_insert(*name);
                None
            };
            error = error.or(kept);
        } else if ctx.target.existing_roles.contains(*name) {
            warning.get_or_insert(*name);
        } else if !s.missing_ok && !ctx.facts.makes_role(name) {
            error.get_or_insert_with(|| ServerError::missing_role(name));
        }
    }
    let list = listed(names.iter().copied());
    let draft = match (error, warning) {
        (Some(error), _) => Draft::new(format!("there is nothing to drop: {list}"))
            .server(error)
            .fix(FixDraft::remove("a fresh target has nothing to drop")),
        (None, Some(name)) => Draft::new(format!("this would drop {name}, which the target has"))
            .severity(Severity::Warning)
            .fix(FixDraft::remove("roles of the target stay")),
        (None, None) => return,
    };
    ctx.report(draft.object(format!("role {list}")));
}

/// A role that is changed or commented on, but that nothing makes.
fn missing(ctx: &mut Context<'_>, name: Option<&str>) {
    let Some(name) = name.filter(|name| !name.starts_with("pg_")) else { return };
    if known(ctx, name) != Known::Missing {
        return;
    }
    let draft = Draft::new(missing_message(name))
        .object(format!("role {name}"))
        .server(ServerError::missing_role(name))
        .advice(missing_advice(ctx))
        .fix(
            FixDraft::remove(format!("role {name} does not exist"))
                .review()
                .lost(format!("this change of role {name}")),
        );
    ctx.report(draft);
}
