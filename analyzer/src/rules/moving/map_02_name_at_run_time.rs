//! MAP-02: SQL that is put together when it runs.

use super::unmoved::report;
use crate::edit::Safety;
use crate::finding::{Severity, Why};
use crate::rule::{Answers, Context, Doc, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "MAP-02",
    name: "name-at-run-time",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::purpose("of schemas that move: SQL that is put together at run time"),
    may_be_off: false,
    doc: Doc {
        summary: "A body puts SQL together at run time, which may name a schema that moves.",
        what: "With --into-schema: EXECUTE of a variable, or of a text in which the name of a relation, type or function is filled in without a schema in front of it. Texts that are written out are moved.",
        why: "The names come from variables, arguments or rows. Those that PostgreSQL tells (regclass, TG_TABLE_SCHEMA, format_type) are right by themselves; those that are stored or passed in are not.",
        server: &["42P01 relation \"…\" does not exist (when it runs)"],
        help: "Look where the names come from. Accept MAP-02 when you have looked at its places: it is a warning then.",
        before: "",
        after: "",
        sources: Doc::sources(&["PostgreSQL documentation, Executing Dynamic Commands"]),
        link: "https://www.postgresql.org/docs/current/plpgsql-statements.html#PLPGSQL-STATEMENTS-EXECUTING-DYN",
    },
    check,
    ..Rule::DEFAULT
}
.of_moves();

fn check(ctx: &mut Context<'_>) {
    report(ctx, Why::Dynamic, "this SQL is put together when it runs, and may name a schema that moves");
}
