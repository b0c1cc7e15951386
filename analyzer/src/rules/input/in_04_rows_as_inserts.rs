//! IN-04: The rows come as INSERT statements.

use std::collections::BTreeSet;

use crate::edit::Safety;
use crate::finding::Severity;
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "IN-04",
    name: "rows-as-inserts",
    severity: Severity::Note,
    fix: Safety::None,
    answers: Answers::limit(
        "copy.stdin",
        "COPY is read and streamed as it is; rows as INSERT statements are noted.",
    ),
    statements: &[StatementKind::InsertStmt],
    doc: Doc {
        summary: "The rows come as INSERT statements.",
        what: "A dump written with --inserts, --column-inserts or --rows-per-insert. Reported once for a file.",
        why: "Each statement is sent, planned and, outside of a transaction, committed by itself. Loading takes many times as long as with COPY.",
        server: &[],
        help: "For much data write the dump again without --inserts: COPY is the default, and the target takes it.",
        before: "--\n-- PostgreSQL database dump\n--\n\nINSERT INTO public.orders VALUES (1, 'first');\n\n--\n-- PostgreSQL database dump complete\n--\n",
        after: "",
        sources: Doc::sources(&["PostgreSQL documentation, pg_dump, --inserts"]),
        link: "https://www.postgresql.org/docs/current/app-pgdump.html",
    },
    check,
    ..Rule::DEFAULT
};

/// Inputs whose rows come as INSERT statements.
#[derive(Clone, Debug, Default)]
struct InsertingInputs(BTreeSet<usize>);

fn check(ctx: &mut Context<'_>) {
    let Some((statement, NodeEnum::InsertStmt(_))) = ctx.node() else { return };
    // Only inside of a dump: lines that a tool appends to its schema file are no load.
    if ctx.facts.headers.last().is_none_or(|header| header.begun <= header.completed) {
        return;
    }
    if ctx.states.of::<InsertingInputs>().0.insert(statement.place(&statement.range()).input) {
        ctx.report(Draft::new("the rows come as INSERT statements, which load much slower than COPY"));
    }
}
