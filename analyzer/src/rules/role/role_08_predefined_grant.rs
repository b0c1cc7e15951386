//! ROLE-08: PostgreSQL's predefined roles that tsdbadmin cannot grant, or that the target lacks.

use super::known::{DATABASE_OWNER, SourceAttributes};
use super::lists::listed;
use super::membership::{Membership, Trouble};
use crate::edit::Safety;
use crate::finding::{ServerError, Severity};
use crate::parse::StatementKind;
use crate::rule::{Answers, Context, Doc, Draft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "ROLE-08",
    name: "predefined-role-grant",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("role.predefined-grants", "PostgreSQL's predefined roles."),
    also_answers: &["PG-14", "PG-16", "PG-17", "PG-18"],
    statements: &[StatementKind::GrantRoleStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: true },
    doc: Doc {
        summary: "GRANT of a predefined role such as pg_read_all_data, which tsdbadmin cannot grant.",
        what: "Memberships in PostgreSQL's own roles. tsdbadmin may grant pg_monitor, pg_read_all_stats, \
               pg_stat_scan_tables, pg_signal_backend and pg_checkpoint, and no others.",
        why: "From 16 on only a role with ADMIN on a predefined role can grant it; up to 15 CREATEROLE was enough. A predefined role that came with a newer version does not exist at all.",
        server: &[
            "42501 permission denied to grant role \"pg_read_all_data\" (16 and newer)",
            "DETAIL Only roles with the ADMIN option on role \"pg_read_all_data\" may grant this role.",
            "42704 role \"pg_maintain\" does not exist (where the target is older)",
            "0A000 role \"pg_database_owner\" cannot have explicit members",
        ],
        help: "The GRANT is removed, and the report names what to grant instead: privileges on the schemas and tables themselves, and default privileges for tables to come.",
        before: "CREATE ROLE app;\nGRANT pg_read_all_data TO app;",
        after: "CREATE ROLE app;\n-- tsmigrate ROLE-08: Remove it: tsdbadmin cannot grant pg_read_all_data\n-- GRANT pg_read_all_data TO app;",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/user.c, check_role_membership_authorization",
            "timescale/docs changelog: the predefined roles that tsdbadmin may grant",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some(m) = Membership::of(ctx) else { return };
    let mine = |trouble: &Trouble<'_>| {
        matches!(trouble, Trouble::NotGrantable | Trouble::NotYet(_) | Trouble::DatabaseOwner)
    };
    let admin = &ctx.target.admin;
    let members = listed(m.members.iter().filter_map(|(name, _)| *name));
    let granted = listed(m.granted.iter().map(|(name, _)| *name));
    let as_granted = m.granted.iter().find(|(_, trouble)| trouble.as_ref().is_some_and(mine));
    let as_member = m.members.iter().find(|(_, trouble)| trouble.as_ref().is_some_and(mine));
    let (name, error, message, title) = match (as_granted, as_member) {
        (Some((name, Some(Trouble::NotYet(since)))), _)
        | (None, Some((Some(name), Some(Trouble::NotYet(since))))) => {
            let words = format!("role {name} came with PostgreSQL {since}");
            (*name, does_not_exist(name), words.clone(), words)
        }
        (Some((name, Some(Trouble::DatabaseOwner))), _) => (
            *name,
            ServerError::new(
                if ctx.target.version >= 18 { "0A000" } else { "XX000" },
                format!("role \"{DATABASE_OWNER}\" cannot have explicit members"),
            ),
            format!("{DATABASE_OWNER} has one member, the database's owner, and takes no others"),
            format!("{DATABASE_OWNER} takes no members"),
        ),
        (Some((name, _)), _) => (
            *name,
            ServerError::new("42501", format!("permission denied to grant role \"{name}\""))
                .detail(format!("Only roles with the ADMIN option on role \"{name}\" may grant this role.")),
            format!("{admin} cannot grant {name}"),
            format!("{admin} cannot grant {name}"),
        ),
        (None, Some((Some(name), _))) => (
            *name,
            ServerError::new(
                if ctx.target.version >= 18 { "0A000" } else { "XX000" },
                format!("role \"{DATABASE_OWNER}\" cannot be a member of any role"),
            ),
            format!("{DATABASE_OWNER} can be in no other role"),
            format!("{DATABASE_OWNER} can be in no other role"),
        ),
        _ => return,
    };
    if name == "pg_read_all_data" {
        let names = m.members.iter().filter_map(|(name, _)| *name).map(str::to_owned);
        ctx.states.of::<SourceAttributes>().readers.extend(names);
    }
    let what = if as_granted.is_some() { name } else { &granted };
    let mut draft = Draft::new(message).object(format!("membership of {members} in {what}")).server(error);
    if let Some(advice) = instead(name, &members) {
        draft = draft.advice(advice);
    }
    if let Some(mut fix) = m.without(title, mine) {
        if let Some(lost) = m.lost(mine) {
            fix = fix.lost(lost);
        }
        draft = draft.fix(fix);
    }
    ctx.report(draft);
}

fn does_not_exist(name: &str) -> ServerError {
    ServerError::missing_role(name)
}

/// What gives the same, or the nearest.
fn instead(role: &str, members: &str) -> Option<String> {
    Some(match role {
        "pg_read_all_data" => format!(
            "For each schema: GRANT USAGE ON SCHEMA s TO {members}; GRANT SELECT ON ALL TABLES IN SCHEMA s TO \
             {members}; GRANT SELECT ON ALL SEQUENCES IN SCHEMA s TO {members}; ALTER DEFAULT PRIVILEGES IN SCHEMA s \
             GRANT SELECT ON TABLES TO {members};"
        ),
        "pg_write_all_data" => format!(
            "For each schema: GRANT USAGE ON SCHEMA s TO {members}; GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN \
             SCHEMA s TO {members}; GRANT USAGE, UPDATE ON ALL SEQUENCES IN SCHEMA s TO {members}; ALTER DEFAULT \
             PRIVILEGES IN SCHEMA s GRANT INSERT, UPDATE, DELETE ON TABLES TO {members};"
        ),
        "pg_maintain" => {
            format!("From 17 on, for each schema: GRANT MAINTAIN ON ALL TABLES IN SCHEMA s TO {members};")
        }
        "pg_read_all_settings" => format!("GRANT pg_monitor TO {members}; has the same and more."),
        "pg_read_server_files" | "pg_write_server_files" | "pg_execute_server_program" => {
            "A service gives no access to its files and programs. Use \\copy of psql, which reads and writes where \
             the client runs."
                .into()
        }
        _ => return None,
    })
}
