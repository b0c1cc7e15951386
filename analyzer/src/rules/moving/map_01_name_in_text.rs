//! MAP-01: a text that speaks of a schema that moves.

use super::unmoved::report;
use crate::edit::Safety;
use crate::finding::{Severity, Why};
use crate::rule::{Answers, Context, Doc, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "MAP-01",
    name: "name-in-text",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::purpose(
        "of schemas that move: names of them in strings, and in bodies that are not read",
    ),
    may_be_off: false,
    doc: Doc {
        summary: "A text speaks of a schema that moves, and nothing proves that it is its name.",
        what: "With --into-schema: strings that hold schema.name and are no argument that PostgreSQL reads as a name, bare names of schemas where catalogs are asked, bodies in other languages than SQL and PL/pgSQL, statements whose new text could not be proved.",
        why: "What a string means is known only to the code that reads it. It is left as it is: if it names the schema, it fails when it is used.",
        server: &["42P01 relation \"…\" does not exist (when it is used)"],
        help: "Look at the place, and change the name in the dump where it is the schema's. Accept MAP-01 when you have looked at its places: it is a warning then.",
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
    report(ctx, Why::Text, "this text speaks of a schema that moves, and it stays as it is");
}
