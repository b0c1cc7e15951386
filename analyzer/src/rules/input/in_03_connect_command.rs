//! IN-03: \connect to a database that the target does not have.

use super::in_11_unexpected_meta_command::{BEFORE_CONNECT, command};
use crate::edit::Safety;
use crate::finding::{ServerError, Severity};
use crate::input::connect_target;
use crate::rule::{About, Answers, Context, Doc, Draft, FixDraft, Piece, Rule, Subject};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "IN-03",
    name: "connect-command",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("psql.connect", "\\connect leads to a database that the service does not have."),
    pieces: &[Piece::Meta],
    about: About::Psql,
    doc: Doc {
        summary: "\\connect to a database that the target does not have.",
        what: "pg_dumpall and pg_dump --create change to each database with \\connect before they fill it, with \\encoding SQL_ASCII before it where the database's name has other characters than letters, digits, _ and dots.",
        why: "A service has one database. psql cannot connect to another, and stops: without a connection nothing of the rest is restored.",
        server: &["3D000 database \"shop\" does not exist", "psql: \\connect: connection to server … failed"],
        help: "The line is removed: the statements run in the database that psql was started with.",
        before: "\\connect shop\nCREATE TABLE public.orders (\n    id integer\n);",
        after: "-- tsmigrate IN-03: Remove it: everything goes into tsdb\n-- \\connect shop\nCREATE TABLE public.orders (\n    id integer\n);",
        sources: Doc::sources(&["PostgreSQL src/bin/pg_dump/pg_backup_archiver.c, _reconnectToDB"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Subject::Meta { text, .. } = ctx.subject else { return };
    if text.trim_end() == BEFORE_CONNECT {
        let draft =
            Draft::new("\\encoding prepares the \\connect after it, for a name with unusual characters");
        ctx.report(draft.object("\\encoding").fix(FixDraft::remove("it goes with the \\connect after it")));
        return;
    }
    if !matches!(command(text), "c" | "connect") {
        return;
    }
    let database = &ctx.target.database;
    let admin = &ctx.target.admin;
    let draft = match connect_target(text) {
        Some(name) if name == "-" => Draft::new(format!(
            "the restore connects as {admin} and as nobody else"
        ))
        .fix(FixDraft::remove(format!("{admin} goes on")).lost(format!(
            "the user of this connection: {admin} owns what follows, unless the dump sets an owner"
        ))),
        Some(name) => {
            let draft = if name == *database {
                Draft::new(format!("the session is in {database} already"))
            } else {
                Draft::new(format!("the target has no database \"{name}\""))
                    .server(ServerError::new("3D000", format!("database \"{name}\" does not exist")))
            };
            draft
                .object(format!("database {name}"))
                .fix(FixDraft::remove(format!("everything goes into {database}")))
        }
        // Without a name it only tells about the connection.
        None => Draft::new("the session is in the database of the restore already")
            .fix(FixDraft::remove("there is nothing to connect to")),
    };
    ctx.report(draft);
}
