//! ROLE-01: a role that the target has already, or that belongs to the service.

use super::known::{SUPERUSER, may_alter};
use crate::edit::Safety;
use crate::facts::names::{option, options, role, string};
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "ROLE-01",
    name: "existing-role",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("role.exists", "Roles that the service has from the start."),
    also_answers: &["ROLE-11"],
    statements: &[StatementKind::AlterRoleStmt, StatementKind::CommentStmt, StatementKind::CreateRoleStmt],
    doc: Doc {
        summary: "CREATE, ALTER or COMMENT of a role that the target has already.",
        what: "pg_dumpall writes every role of the cluster, the first superuser too: CREATE ROLE postgres, ALTER \
               ROLE postgres WITH SUPERUSER …. The service has roles of these names: postgres, tsdbadmin, \
               tsdbowner and others.",
        why: "The role exists, and nobody but the provider is postgres there. ALTER ROLE tsdbadmin … PASSWORD is worse: it succeeds, and the password of the service is another one from then on.",
        server: &[
            "42710 role \"postgres\" already exists",
            "42501 permission denied to alter role (16 and newer)",
            "DETAIL Only roles with the SUPERUSER attribute may alter roles with the SUPERUSER attribute.",
            "42501 must be superuser to alter superuser roles or change superuser attribute (15 and older)",
            "42501 permission denied (COMMENT ON ROLE, 16 and newer)",
        ],
        help: "The statements are removed: the service's own role stays as it is. What these roles owned on the source is owned by tsdbadmin on the target. A superuser of the source with a name of its own (boss) is created as an ordinary role, and keeps what it owns.",
        before: "CREATE ROLE postgres;",
        after: "-- tsmigrate ROLE-01: Remove it: the service has its own role postgres\n-- CREATE ROLE postgres;",
        sources: Doc::sources(&[
            "PostgreSQL src/bin/pg_dump/pg_dumpall.c, dumpRoles",
            "timescale/docs PR 1382: the roles of a service",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    match node {
        NodeEnum::CreateRoleStmt(s) => create(ctx, s),
        NodeEnum::AlterRoleStmt(s) => alter(ctx, s),
        NodeEnum::CommentStmt(s) if s.objtype == pg::ObjectType::ObjectRole as i32 => {
            if let Some(name) = s.object.as_deref().and_then(string) {
                comment(ctx, name);
            }
        }
        _ => {}
    }
}

fn create(ctx: &mut Context<'_>, s: &pg::CreateRoleStmt) {
    let name = s.role.as_str();
    let reserved = ctx.target.reserved_roles.contains_key(name);
    if !reserved && !ctx.target.existing_roles.contains(name) {
        return;
    }
    let (message, title) = if reserved {
        (format!("the service has its own role {name}"), format!("the service has its own role {name}"))
    } else {
        (format!("the target has a role {name} already"), format!("the target has {name} already"))
    };
    let mut fix = FixDraft::remove(title).present();
    if !reserved && !s.options.is_empty() {
        fix = fix.lost(format!("attributes of role {name}: it keeps those that it has on the target"));
    }
    let draft = Draft::new(message)
        .object(format!("role {name}"))
        .server(ServerError::new("42710", format!("role \"{name}\" already exists")))
        .fix(fix);
    ctx.report(draft);
}

fn alter(ctx: &mut Context<'_>, s: &pg::AlterRoleStmt) {
    let Some(name) = s.role.as_ref().and_then(role) else { return };
    // ALTER GROUP … ADD USER is a grant.
    if !ctx.target.reserved_roles.contains_key(name) || option(&s.options, "rolemembers").is_some() {
        return;
    }
    let own_password = name == ctx.target.admin && option(&s.options, "password").is_some();
    let mut fix = FixDraft::remove(format!("the service has its own role {name}"));
    let error = refusal(ctx, name, &s.options);
    let mut draft = if own_password {
        fix = fix.lost(format!("the source's password of {name}: the service's own stays"));
        Draft::new(format!("this would change the password of {name}, the role that you connect as"))
    } else if error.is_some() {
        Draft::new(format!("the service's own role {name} cannot be changed"))
    } else {
        Draft::new(format!("this would change {name}, a role of the service"))
    };
    draft = draft.object(format!("role {name}")).fix(fix);
    draft = match error {
        Some(error) => draft.server(error),
        None => draft.severity(Severity::Warning),
    };
    ctx.report(draft);
}

/// What the server says to ALTER ROLE with these options; `None` where it would do it.
fn refusal(ctx: &Context<'_>, name: &str, nodes: &[pg::Node]) -> Option<ServerError> {
    let new = ctx.target.version >= 16;
    let special = options(nodes).find_map(|option| {
        ["superuser", "replication", "bypassrls"]
            .into_iter()
            .find(|word| option.defname.trim_start_matches("is") == *word)
    });
    if name == SUPERUSER {
        return Some(if new {
            ServerError::new("42501", "permission denied to alter role").detail(
                "Only roles with the SUPERUSER attribute may alter roles with the SUPERUSER attribute.",
            )
        } else {
            ServerError::new(
                "42501",
                "must be superuser to alter superuser roles or change superuser attribute",
            )
        });
    }
    // One's own password may be changed without ADMIN on oneself.
    let only_password = name == ctx.target.admin && options(nodes).all(|o| o.defname == "password");
    let admin = ctx.target.grantable_roles.contains(name) || only_password;
    if new && !admin {
        return Some(ServerError::new("42501", "permission denied to alter role").detail(format!(
            "Only roles with the CREATEROLE attribute and the ADMIN option on role \"{name}\" may alter this role."
        )));
    }
    special.map(|word| {
        let upper = word.to_ascii_uppercase();
        if new {
            ServerError::new("42501", "permission denied to alter role")
                .detail(format!("Only roles with the {upper} attribute may change the {upper} attribute."))
        } else {
            ServerError::new(
                "42501",
                match word {
                    "bypassrls" => "must be superuser to change bypassrls attribute".to_owned(),
                    _ => format!("must be superuser to alter {word} roles or change {word} attribute"),
                },
            )
        }
    })
}

fn comment(ctx: &mut Context<'_>, name: &str) {
    if !ctx.target.reserved_roles.contains_key(name) || may_alter(ctx, name) {
        return;
    }
    let error = match (ctx.target.version >= 16, name == SUPERUSER) {
        (false, _) => ServerError::new("42501", "must be superuser"),
        (true, true) => ServerError::new("42501", "permission denied")
            .detail("The current user must have the SUPERUSER attribute."),
        (true, false) => ServerError::new("42501", "permission denied")
            .detail(format!("The current user must have the ADMIN option on role \"{name}\".")),
    };
    let draft = Draft::new(format!("the service's own role {name} cannot be commented on"))
        .object(format!("role {name}"))
        .server(error)
        .fix(
            FixDraft::remove(format!("the service has its own role {name}"))
                .lost(format!("comment of role {name}")),
        );
    ctx.report(draft);
}
