//! TSP-01: A tablespace is made or dropped.

use super::tsp_03_default_tablespace::{is_usable, no_tablespace};
use crate::edit::Safety;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "TSP-01",
    name: "tablespace",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "tablespace.create",
        "CREATE and DROP TABLESPACE; tablespaces in use on a live source.",
    ),
    statements: &[StatementKind::CreateTableSpaceStmt, StatementKind::DropTableSpaceStmt],
    doc: Doc {
        summary: "A tablespace is created or dropped.",
        what: "CREATE TABLESPACE, as pg_dumpall writes it, and DROP TABLESPACE without IF EXISTS, as pg_dumpall --clean writes it.",
        why: "Tablespaces are folders of the server. Creating one takes a superuser, and the service has none but its own.",
        server: &[
            "42501 permission denied to create tablespace \"ts1\"",
            "HINT Must be superuser to create a tablespace.",
            "42704 tablespace \"ts1\" does not exist",
        ],
        help: "The statement is removed: everything is stored in the service's own storage. See that the service has room for what the tablespaces held.",
        before: "CREATE TABLESPACE ts1 OWNER postgres LOCATION '/mnt/pg/ts1';",
        after: "-- tsmigrate TSP-01: Remove it: the target has no tablespaces of its users\n-- CREATE TABLESPACE ts1 OWNER postgres LOCATION '/mnt/pg/ts1';",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/tablespace.c, CreateTableSpace",
            "timescale/docs, migrate/troubleshooting.md, Tablespaces",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let fix = FixDraft::remove("the target has no tablespaces of its users");
    let (name, draft) = match node {
        NodeEnum::CreateTableSpaceStmt(s) => {
            let name = &s.tablespacename;
            let error =
                ServerError::new("42501", format!("permission denied to create tablespace \"{name}\""))
                    .hint("Must be superuser to create a tablespace.");
            let draft = Draft::new(format!("tablespace \"{name}\" cannot be created on the target"))
                .server(error)
                .advice(format!("What was in {} goes to the service's own storage.", s.location))
                .fix(
                    fix.lost(format!("tablespace {name}: what was in it goes to the service's own storage")),
                );
            (name, draft)
        }
        NodeEnum::DropTableSpaceStmt(s) if !s.missing_ok || is_usable(&s.tablespacename) => {
            let name = &s.tablespacename;
            let error = if is_usable(name) {
                ServerError::new("42501", format!("must be owner of tablespace {name}"))
            } else {
                no_tablespace(name)
            };
            (name, Draft::new(format!("tablespace \"{name}\" cannot be dropped")).server(error).fix(fix))
        }
        _ => return,
    };
    let object = format!("tablespace {name}");
    let range = statement.words(&["TABLESPACE"]).and_then(|word| {
        let exists = statement.words_from(word.end, &["IF", "EXISTS"]);
        statement.name_at(exists.map_or(word.end, |exists| exists.end))
    });
    let draft = draft.object(object);
    ctx.report(match range {
        Some(range) => draft.at(range),
        None => draft,
    });
}
