//! DB-03: ALTER DATABASE … OWNER TO.

use super::db_04_database_setting::refusal;
use crate::edit::Safety;
use crate::facts::names::{quoted, role, string};
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "DB-03",
    name: "database-owner",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("database.owner", "ALTER DATABASE … OWNER TO."),
    statements: &[StatementKind::AlterOwnerStmt],
    doc: Doc {
        summary: "ALTER DATABASE … OWNER TO.",
        what: "pg_dumpall and pg_dump --create give each database its owner.",
        why: "The source's database does not exist there. The service's database has to stay tsdbadmin's: its rights hang on it.",
        server: &[
            "3D000 database \"shop\" does not exist",
            "42501 must be able to SET ROLE \"app\" (16 and newer)",
            "42501 must be member of role \"app\" (15)",
        ],
        help: "The statement is removed. What the owner of a database can do, a role can be granted: CREATE, TEMPORARY and CONNECT on the database, and CREATE on schema public, which belongs to the database's owner.",
        before: "ALTER DATABASE shop OWNER TO app;",
        after: "-- tsmigrate DB-03: Remove it: tsdbadmin remains the owner of the database\n-- ALTER DATABASE shop OWNER TO app;",
        sources: Doc::sources(&["PostgreSQL src/backend/commands/dbcommands.c, AlterDatabaseOwner"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, NodeEnum::AlterOwnerStmt(s))) = ctx.node() else { return };
    if s.object_type != pg::ObjectType::ObjectDatabase as i32 {
        return;
    }
    let Some(name) = s.object.as_ref().and_then(|object| string(object)) else { return };
    let admin = &ctx.target.admin;
    // CURRENT_USER and its like are the administrator.
    let owner = s.newowner.as_ref().and_then(role).unwrap_or(admin);
    let own = name == ctx.target.database;
    // The databases of every cluster are the superuser's already: asking for that again is no change, and passes.
    let is_clusters = matches!(name, "postgres" | "template0" | "template1");
    if own && owner == admin || is_clusters && owner == "postgres" {
        return;
    }
    let error = if !own {
        refusal(name)
    } else if ctx.target.version >= 16 {
        ServerError::new("42501", format!("must be able to SET ROLE \"{owner}\""))
    } else {
        ServerError::new("42501", format!("must be member of role \"{owner}\""))
    };
    let mut fix = FixDraft::remove(format!("{admin} remains the owner of the database"));
    if owner != admin && !ctx.facts.is_superuser(owner) && !ctx.target.reserved_roles.contains_key(owner) {
        fix = fix.lost(format!(
            "owner {owner} of database {name}, who can then create no schema, and nothing in schema public"
        ));
    }
    let (to, here) = (quoted(owner), quoted(&ctx.target.database));
    ctx.report(
        Draft::new(format!("{admin} remains the owner of the target's database"))
            .object(format!("database {name}"))
            .advice(format!(
                "Where {to} creates schemas or tables in public by being the owner, grant that on the target: GRANT CREATE ON \
                 DATABASE {here} TO {to}; GRANT CREATE ON SCHEMA public TO {to};"
            ))
            .server(error)
            .fix(fix),
    );
}
