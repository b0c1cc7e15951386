//! IN-12: A message of pg_dump or psql among the statements.

use crate::edit::Safety;
use crate::finding::{ServerError, Severity};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Piece, Rule, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "IN-12",
    name: "tool-output",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::purpose("messages of tools among the statements"),
    also_answers: &["DATA-03"],
    pieces: &[Piece::Noise],
    doc: Doc {
        summary: "A message of pg_dump or psql among the statements.",
        what: "Lines such as pg_dump: warning: … that were written into the file, by redirecting both streams (pg_dump … > dump.sql 2>&1) or by a terminal.",
        why: "The server takes the line as the beginning of the next statement, which fails with it.",
        server: &["42601 syntax error at or near \"pg_dump\""],
        help: "The line is removed. Read it: an error there means that the dump is not complete. Write dumps with --file, and leave the messages on the terminal.",
        before: "pg_dump: warning: there are circular foreign-key constraints on this table:\nSELECT 1;",
        after: "-- tsmigrate IN-12: Remove it: it is a message, not a statement\n-- pg_dump: warning: there are circular foreign-key constraints on this table:\nSELECT 1;",
        sources: Doc::sources(&["PostgreSQL src/common/logging.c, pg_log_generic_v"]),
        link: "https://www.postgresql.org/docs/current/app-pgdump.html",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Subject::Noise { text, .. } = ctx.subject else { return };
    // The scanner's first word, or its first sign.
    let word = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let near = text.get(..word.max(1)).unwrap_or_default();
    let mut draft = Draft::new("a tool's message stands among the statements")
        .server(ServerError::new("42601", format!("syntax error at or near \"{near}\"")))
        .fix(FixDraft::remove("it is a message, not a statement"));
    if text.contains("error") || text.contains("ERROR") || text.contains("FATAL") {
        draft = draft.advice("It tells of an error: the dump may lack what came after it. Write it again.");
    }
    ctx.report(draft);
}
