//! DB-05: Properties of a database: connection limit, template, name, existence.

use super::db_04_database_setting::refusal;
use crate::edit::Safety;
use crate::facts::names::{option, options};
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "DB-05",
    name: "database-properties",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("database.props", "Connection limit, template, DROP DATABASE."),
    also_answers: &["PG-15"],
    statements: &[
        StatementKind::AlterDatabaseRefreshCollStmt,
        StatementKind::AlterDatabaseStmt,
        StatementKind::DropdbStmt,
        StatementKind::RenameStmt,
        StatementKind::UpdateStmt,
    ],
    in_bodies: InBodies::Yes { queries: false, by_name: true },
    doc: Doc {
        summary: "Properties of a database: connection limit, template, name, existence.",
        what: "ALTER DATABASE … CONNECTION LIMIT, IS_TEMPLATE, ALLOW_CONNECTIONS, RENAME TO, REFRESH COLLATION VERSION; DROP DATABASE; UPDATE pg_database, as pg_dumpall --clean writes it.",
        why: "The source's database does not exist there. On the service's own database a connection limit would count the service's agents too, a template cannot be dropped, and its name is fixed. pg_database is the superuser's.",
        server: &[
            "3D000 database \"shop\" does not exist",
            "22023 cannot disallow connections for current database",
            "42501 permission denied for table pg_database",
            "42501 must be owner of database postgres",
            "55006 cannot drop the currently open database",
            "0A000 current database cannot be renamed",
        ],
        help: "The statement is removed.",
        before: "ALTER DATABASE shop CONNECTION LIMIT = 50;",
        after: "-- tsmigrate DB-05: Remove it: the service looks after its database\n-- ALTER DATABASE shop CONNECTION LIMIT = 50;",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/dbcommands.c; bin/pg_dump/pg_dump.c, dumpDatabase",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    let own = |name: &str| name == ctx.target.database;
    let (name, what, error) = match node {
        NodeEnum::AlterDatabaseStmt(s) if option(&s.options, "tablespace").is_none() => {
            let words: Vec<String> =
                options(&s.options).map(|o| o.defname.replace('_', " ").to_ascii_uppercase()).collect();
            let forbids = options(&s.options)
                .any(|o| o.defname == "allow_connections" && !crate::facts::names::option_is_on(o));
            let error = match (own(&s.dbname), forbids) {
                (false, _) => Some(refusal(&s.dbname)),
                (true, true) => {
                    Some(ServerError::new("22023", "cannot disallow connections for current database"))
                }
                (true, false) => None,
            };
            (s.dbname.as_str(), words.join(", ").replace("CONNLIMIT", "CONNECTION LIMIT"), error)
        }
        NodeEnum::AlterDatabaseRefreshCollStmt(s) if !own(&s.dbname) => {
            (s.dbname.as_str(), "REFRESH COLLATION VERSION".into(), Some(refusal(&s.dbname)))
        }
        NodeEnum::RenameStmt(s) if s.rename_type == pg::ObjectType::ObjectDatabase as i32 => {
            let error = if own(&s.subname) {
                ServerError::new("0A000", "current database cannot be renamed")
            } else {
                refusal(&s.subname)
            };
            (s.subname.as_str(), format!("name {}", s.newname), Some(error))
        }
        NodeEnum::DropdbStmt(s) => {
            let error = if own(&s.dbname) {
                ServerError::new("55006", "cannot drop the currently open database")
            } else {
                refusal(&s.dbname)
            };
            // IF EXISTS of a database that is not there passes.
            if s.missing_ok && error.sqlstate == "3D000" {
                return;
            }
            (s.dbname.as_str(), String::new(), Some(error))
        }
        NodeEnum::UpdateStmt(s)
            if s.relation.as_ref().is_some_and(|r| {
                r.relname == "pg_database" && matches!(&*r.schemaname, "" | "pg_catalog")
            }) =>
        {
            let error = ServerError::new("42501", "permission denied for table pg_database");
            ("", String::new(), Some(error))
        }
        _ => return,
    };
    let mut fix = FixDraft::remove("the service looks after its database");
    // Dropping, renaming and refreshing leave nothing to keep.
    if !what.is_empty() && what != "REFRESH COLLATION VERSION" {
        fix = fix.lost(format!("{what} of database {name}"));
    }
    let object = if name.is_empty() { "table pg_database".into() } else { format!("database {name}") };
    let mut draft = Draft::new(match &error {
        Some(_) => format!("{object} cannot be changed on the target"),
        None => format!("{what} of {object} would bind the service's own connections too"),
    })
    .object(object)
    .fix(fix);
    draft = match error {
        Some(error) => draft.server(error),
        None => draft.severity(Severity::Warning),
    };
    ctx.report(draft);
}
