//! TSP-05: ALTER DATABASE … SET TABLESPACE.

use crate::edit::Safety;
use crate::facts::names::option;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "TSP-05",
    name: "database-tablespace",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("tablespace.database", "The tablespace of a database goes with CREATE DATABASE."),
    statements: &[StatementKind::AlterDatabaseStmt],
    doc: Doc {
        summary: "ALTER DATABASE … SET TABLESPACE.",
        what: "A database is moved to another tablespace. (CREATE DATABASE … TABLESPACE goes with its statement: see DB-01.)",
        why: "Nobody can move the database that they are connected to, and the service has no tablespaces to move it to.",
        server: &[
            "55006 cannot change the tablespace of the currently open database",
            "3D000 database \"shop\" does not exist",
        ],
        help: "The statement is removed.",
        before: "ALTER DATABASE shop SET TABLESPACE ts1;",
        after: "-- tsmigrate TSP-05: Remove it: the database stays in the service's own storage\n-- ALTER DATABASE shop SET TABLESPACE ts1;",
        sources: Doc::sources(&["PostgreSQL src/backend/commands/dbcommands.c, movedb"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, NodeEnum::AlterDatabaseStmt(s))) = ctx.node() else { return };
    if option(&s.options, "tablespace").is_none() {
        return;
    }
    let error = if s.dbname == ctx.target.database {
        ServerError::new("55006", "cannot change the tablespace of the currently open database")
    } else {
        ServerError::new("3D000", format!("database \"{}\" does not exist", s.dbname))
    };
    ctx.report(
        Draft::new(format!("database {} cannot be moved to another tablespace", s.dbname))
            .object(format!("database {}", s.dbname))
            .server(error)
            .fix(FixDraft::remove("the database stays in the service's own storage")),
    );
}
