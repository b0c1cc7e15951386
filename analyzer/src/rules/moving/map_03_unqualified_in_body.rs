//! MAP-03: unqualified names whose search_path cannot be set where they stand.

use super::unmoved::report;
use crate::edit::Safety;
use crate::finding::{Severity, Why};
use crate::rule::{Answers, Context, Doc, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "MAP-03",
    name: "unqualified-in-body",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::purpose("of schemas that move: unqualified names in bodies that take no search_path"),
    may_be_off: false,
    doc: Doc {
        summary: "A body uses unqualified names of objects that move, and cannot be given a search_path.",
        what: "With --into-schema: DO blocks, procedures that commit, and names that two schemas have. Other functions get SET search_path.",
        why: "The names are found by the search_path of whoever calls. A procedure with a SET clause may not commit, and a DO block takes none.",
        server: &["42P01 relation \"…\" does not exist (when it runs)"],
        help: "Qualify the names in the dump, or make sure that callers have the new schema in their search_path. Accept MAP-03 when you have looked at its places: it is a warning then.",
        before: "",
        after: "",
        sources: Doc::sources(&["PostgreSQL documentation, CREATE PROCEDURE, SET"]),
        link: "https://www.postgresql.org/docs/current/sql-createprocedure.html",
    },
    check,
    ..Rule::DEFAULT
}
.of_moves();

fn check(ctx: &mut Context<'_>) {
    report(
        ctx,
        Why::Path,
        "unqualified names here are found only by callers that have the new schema in their search_path",
    );
}
