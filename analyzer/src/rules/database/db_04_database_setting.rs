//! DB-04: Settings of a database that has another name on the target.

use super::undecided::{self, is_of_the_server};
use crate::edit::Safety;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "DB-04",
    name: "database-setting",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("database.set", "ALTER DATABASE … SET is renamed to the service's database."),
    statements: &[StatementKind::AlterDatabaseSetStmt, StatementKind::AlterRoleSetStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: true },
    doc: Doc {
        summary: "Settings of a database that has another name on the target.",
        what: "ALTER DATABASE … SET, ALTER ROLE … IN DATABASE … SET, as pg_dumpall and pg_dump --create write them.",
        why: "The service's database is called tsdb. A setting of another database fails.",
        server: &["3D000 database \"shop\" does not exist"],
        help: "The database's name is replaced by the target's: the settings are kept. Settings of databases that are left out go with them.",
        before: "ALTER DATABASE shop SET \"TimeZone\" TO 'UTC';",
        after: "ALTER DATABASE tsdb SET \"TimeZone\" TO 'UTC';",
        sources: Doc::sources(&["PostgreSQL src/backend/commands/dbcommands.c, AlterDatabaseSet"]),
        link: TROUBLESHOOTING,
    },
    check,
    finish: Some(undecided::finish),
    ..Rule::DEFAULT
};

/// What the server answers to a statement about a database.
#[must_use]
pub fn refusal(name: &str) -> ServerError {
    if is_of_the_server(name) {
        ServerError::new("42501", format!("must be owner of database {name}"))
    } else {
        ServerError::new("3D000", format!("database \"{name}\" does not exist"))
    }
}

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let (name, words, path, what) = match node {
        NodeEnum::AlterDatabaseSetStmt(s) => {
            let what = s.setstmt.as_ref().map_or("", |set| &set.name);
            (&s.dbname, &["DATABASE"][..], "/AlterDatabaseSetStmt/dbname", what)
        }
        NodeEnum::AlterRoleSetStmt(s) if !s.database.is_empty() => {
            let what = s.setstmt.as_ref().map_or("", |set| &set.name);
            (&s.database, &["IN", "DATABASE"][..], "/AlterRoleSetStmt/database", what)
        }
        _ => return,
    };
    let Some(range) = statement.words(words).and_then(|words| statement.name_at(words.end)) else { return };
    let database = &ctx.target.database;
    let draft = || {
        let draft = Draft::new("").at(range.clone()).object(format!("database {name}"));
        // A database of this name is there: the setting would be that one's.
        if name == database { draft.severity(Severity::Warning) } else { draft.server(refusal(name)) }
    };
    let gone = FixDraft::remove("it is another database's setting")
        .lost(format!("setting {what} of database {name}"));
    undecided::report(ctx, name, range.clone(), &draft, gone, path);
}
