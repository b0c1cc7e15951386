//! ROLE-10: settings stored for roles of the service, or for all roles.

use super::known::{SUPERUSER, may_alter};
use crate::edit::Safety;
use crate::facts::names::{quoted, role};
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::setting::guc_01_superuser_parameter::refusal;
use crate::rules::setting::guc_05_unknown_parameter::refusal as unknown;
use crate::rules::setting::guc_06_parameter_value::{refusal as invalid, value};
use crate::target::parameter;

pub(crate) const RULE: Rule = Rule {
    id: "ROLE-10",
    name: "role-setting",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "role.set-guc",
        "ALTER ROLE … SET of the service's roles and of all roles; which parameters is GUC-01's.",
    ),
    statements: &[StatementKind::AlterRoleSetStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: true },
    doc: Doc {
        summary: "ALTER ROLE … SET for a role of the service, or for ALL roles.",
        what: "ALTER ROLE postgres SET … or ALTER ROLE tsdbadmin SET …, which pg_dumpall and pg_dump --create write where \
               the source had such settings, and ALTER ROLE ALL SET …, written by hand.",
        why: "tsdbadmin cannot change the service's superuser and, from 16 on, no role on which it has no ADMIN. \
              Settings for all roles in all databases need a superuser. tsdbadmin can change its own settings, and must not: a role or a search_path that the source has stored for a role of that name would be in force for \
              everything that the administrator does on the target.",
        server: &[
            "42501 permission denied to alter role (16 and newer)",
            "42501 must be superuser to alter superusers (15 and older)",
            "42501 permission denied to alter setting (16 and newer)",
            "42501 must be superuser to alter settings globally (15 and older)",
        ],
        help: "A setting for ALL becomes one for the database, which is the same on a service. A setting of a role of the service is removed: store it for the role that the application uses now.",
        before: "ALTER ROLE ALL SET work_mem TO '64MB';",
        after: "-- tsmigrate ROLE-10: Say it of the service's one database\n-- ALTER ROLE ALL SET work_mem TO '64MB';\nALTER DATABASE tsdb SET work_mem TO '64MB';",
        sources: Doc::sources(&["PostgreSQL src/backend/commands/user.c, AlterRoleSet"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, NodeEnum::AlterRoleSetStmt(s))) = ctx.node() else { return };
    let Some(set) = &s.setstmt else { return };
    let new = ctx.target.version >= 16;
    let what = if set.name.is_empty() { "all settings".to_owned() } else { format!("setting {}", set.name) };
    let Some(spec) = &s.role else {
        if !s.database.is_empty() || refusal(ctx, set).is_some() {
            return;
        }
        let error = if new {
            ServerError::new("42501", "permission denied to alter setting")
                .detail("Only roles with the SUPERUSER attribute may alter settings globally.")
        } else {
            ServerError::new("42501", "must be superuser to alter settings globally")
        };
        let mut draft = Draft::new(format!("{what} cannot be stored for all roles")).server(error);
        // ALTER ROLE ALL: what follows is the same in ALTER DATABASE.
        if let Some(all) = statement.words(&["ALL"])
            && let Some(rest) = statement.sql().get(all.end..statement.body().end)
        {
            // The database refuses what no role can set.
            let value = set.args.first().and_then(value);
            let refused = unknown(ctx, &set.name).is_some()
                || parameter(&set.name).is_some_and(|p| invalid(p, &set.name, value.as_deref()).is_some());
            draft = draft.fix(if refused && !set.name.is_empty() {
                FixDraft::remove(format!("the server refuses {what}")).lost(what)
            } else {
                FixDraft::replace_with(
                    "Say it of the service's one database",
                    vec![format!("ALTER DATABASE {}{rest};", quoted(&ctx.target.database))],
                )
            });
        }
        ctx.report(draft);
        return;
    };
    let Some(name) = role(spec) else { return };
    let own = name == ctx.target.admin;
    if !own && !ctx.target.reserved_roles.contains_key(name) {
        return;
    }
    let mut fix = FixDraft::remove(format!("{name} is a role of the service"));
    if set.kind == pg::VariableSetKind::VarSetValue as i32 {
        fix = fix.lost(format!("{what} of role {name}"));
    }
    if own || may_alter(ctx, name) {
        let of = if own { "the role that you connect as" } else { "a role of the service" };
        let draft = Draft::new(format!("{what} would change {name}, {of}"))
            .object(format!("role {name}"))
            .severity(Severity::Warning)
            .fix(fix);
        ctx.report(draft);
        return;
    }
    let error = match (new, name == SUPERUSER) {
        (false, _) => ServerError::new("42501", "must be superuser to alter superusers"),
        (true, true) => ServerError::new("42501", "permission denied to alter role")
            .detail("Only roles with the SUPERUSER attribute may alter roles with the SUPERUSER attribute."),
        (true, false) => ServerError::new("42501", "permission denied to alter role").detail(format!(
            "Only roles with the CREATEROLE attribute and the ADMIN option on role \"{name}\" may alter this role."
        )),
    };
    let draft = Draft::new(format!("{what} cannot be stored for {name}, a role of the service"))
        .object(format!("role {name}"))
        .server(error)
        .advice(format!(
            "Where the application logged in as {name}, store it for the role that it uses now: ALTER ROLE {} SET ….",
            quoted(&ctx.target.admin)
        ))
        .fix(fix);
    ctx.report(draft);
}
