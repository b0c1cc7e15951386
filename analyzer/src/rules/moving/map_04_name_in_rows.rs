//! MAP-04: columns whose rows are names of objects.

use super::unmoved::report;
use crate::edit::Safety;
use crate::finding::{Severity, Why};
use crate::rule::{Answers, Context, Doc, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "MAP-04",
    name: "name-in-rows",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::purpose("of schemas that move: columns of type regclass and its like"),
    may_be_off: false,
    doc: Doc {
        summary: "A column holds names of objects as its rows.",
        what: "With --into-schema: columns of type regclass, regproc, regprocedure, regtype, regconfig, regdictionary, regoper, regoperator, regcollation, regnamespace.",
        why: "A dump writes such values as names with their schemas. Rows are data, and are not changed: values that name moved objects are refused.",
        server: &[
            "42P01 relation \"public.orders\" does not exist",
            "3F000 schema \"public\" does not exist",
        ],
        help: "Change the rows in the dump, or make the column text on the source. Accept MAP-04 when you have looked at its places: it is a warning then.",
        before: "",
        after: "",
        sources: Doc::sources(&["PostgreSQL documentation, Object Identifier Types"]),
        link: "https://www.postgresql.org/docs/current/datatype-oid.html",
    },
    check,
    ..Rule::DEFAULT
}
.of_moves();

fn check(ctx: &mut Context<'_>) {
    report(
        ctx,
        Why::Rows,
        "the rows of this column name objects, perhaps of schemas that move, and rows are not changed",
    );
}
