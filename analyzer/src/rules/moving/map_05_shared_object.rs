//! MAP-05: what databases had each for themselves.

use super::unmoved::report;
use crate::edit::Safety;
use crate::finding::{Severity, Why};
use crate::rule::{Answers, Context, Doc, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "MAP-05",
    name: "shared-object",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::purpose(
        "of schemas that move: settings that two databases have, where the service has one",
    ),
    may_be_off: false,
    doc: Doc {
        summary: "A setting or extension that two databases have each for themselves is one on the service.",
        what: "With --into-schema for several databases, and always in migrate and restore: ALTER DATABASE … SET, ALTER ROLE … IN DATABASE … SET of one parameter for two databases, search_path of a role for the whole cluster that names a schema of the database, ALTER DEFAULT PRIVILEGES without IN SCHEMA, publications FOR ALL TABLES, and CREATE EXTENSION of one extension in two schemas.",
        why: "The service has one database. Set for it twice, the last value holds for the sessions of both applications, default privileges without a schema and publications of all tables are about the objects of both, and an extension is in the schema of its first CREATE EXTENSION.",
        server: &[],
        help: "Decide which value is to hold, and set the other for the roles of its application, or in its connection string. Move an extension into one schema on the source. Accept MAP-05 when you have looked at its places: it is a warning then.",
        before: "",
        after: "",
        sources: Doc::sources(&["PostgreSQL documentation, ALTER ROLE"]),
        link: "https://www.postgresql.org/docs/current/sql-alterrole.html",
    },
    check,
    ..Rule::DEFAULT
}
.of_moves();

fn check(ctx: &mut Context<'_>) {
    report(ctx, Why::Shared, "several databases have this, and the service has one");
}
