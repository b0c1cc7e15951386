//! IN-01: The dump has a beginning but no end mark.

use crate::edit::Safety;
use crate::finding::Severity;
use crate::rule::{Answers, Context, Doc, Draft, Piece, Rule, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "IN-01",
    name: "missing-end-mark",
    severity: Severity::Warning,
    fix: Safety::None,
    answers: Answers::limit(
        "dump.header",
        "The comments of pg_dump give the versions; a dump without its end mark is incomplete.",
    ),
    pieces: &[Piece::End],
    doc: Doc {
        summary: "The dump has a beginning but no end mark.",
        what: "pg_dump and pg_dumpall write a comment where a dump begins and another where it is complete. The file has fewer of the second.",
        why: "The writing program was stopped, its disk was full, or the file was copied only in part. What is missing cannot be seen from the file. Some tools cut the comments off on purpose: then nothing is wrong.",
        server: &[],
        help: "Write the dump again and look at pg_dump's exit status and messages.",
        before: "--\n-- PostgreSQL database dump\n--\n\nCREATE TABLE public.orders (\n    id integer\n);",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/bin/pg_dump/pg_backup_archiver.c, RestoreArchive; pg_dumpall.c, main",
        ]),
        link: "https://www.postgresql.org/docs/current/app-pgdump.html",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Subject::End { .. } = ctx.subject else { return };
    let Some(header) = ctx.facts.headers.last() else { return };
    if header.completed >= header.begun {
        return;
    }
    let what = if header.cluster { "cluster dump" } else { "dump" };
    let message = format!("the {what} may be cut off: its end mark is missing");
    let advice = format!(
        "{} of its parts begin and {} are said to be complete. Look whether the last statement is the last one that \
         you expect, or write the dump again.",
        header.begun, header.completed
    );
    let object = header.input.clone();
    ctx.report(Draft::new(message).object(object).advice(advice));
}
