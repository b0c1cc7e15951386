//! MAP-06: functions that look for names in a schema that others may create in.

use super::unmoved::report;
use crate::edit::Safety;
use crate::finding::{Severity, Why};
use crate::rule::{Answers, Context, Doc, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "MAP-06",
    name: "shared-public",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::purpose(
        "of schemas that move: functions that look for names in public, where other databases' roles create",
    ),
    may_be_off: false,
    doc: Doc {
        summary: "A function looks for names in schema public of the target too, where roles of others create or have functions.",
        what: "In migrate and restore with --into-schema: functions get public into their search_path where extensions are in it, and roles other than tsdbadmin may create in public of the target, or have functions or operators there.",
        why: "A function of others whose arguments fit better is called in place of one's own, with the rights of whoever runs: of tsdbadmin while rows are copied.",
        server: &[],
        help: "Take CREATE on schema public away from those roles, and move what they have there into another schema. Accept MAP-06 where all of them are to be trusted.",
        before: "",
        after: "",
        sources: Doc::sources(&["PostgreSQL documentation, 5.10.6 Usage Patterns of schemas; CREATE FUNCTION, Writing SECURITY DEFINER Functions Safely"]),
        link: "https://www.postgresql.org/docs/current/ddl-schemas.html#DDL-SCHEMAS-PATTERNS",
    },
    check,
    ..Rule::DEFAULT
}
.of_moves();

fn check(ctx: &mut Context<'_>) {
    report(ctx, Why::Open, "this function looks for names in public of the target too, where others create");
}
