//! SRV-10: Tablespaces and large objects of a live database.

use crate::edit::Safety;
use crate::finding::Severity;
use crate::rule::{Context, Doc, Draft, Rule};
use crate::server::{bytes, list};

pub(crate) const RULE: Rule = Rule {
    id: "SRV-10",
    name: "storage",
    severity: Severity::Note,
    fix: Safety::None,
    also_answers: &["TSP-01"],
    doc: Doc {
        summary: "Tablespaces in use, and large objects.",
        what: "How much of a live database is in tablespaces of its own, and how many large objects it has.",
        why: "The service has one storage: all goes there. Large objects are moved one by one, and keep their numbers.",
        server: &[],
        help: "Nothing is to be done. Plan the room and the time.",
        before: "",
        after: "",
        sources: Doc::sources(&["pg_class.reltablespace", "pg_largeobject_metadata"]),
        link: "https://www.postgresql.org/docs/current/manage-ag-tablespaces.html",
    },
    check,
    ..Rule::DEFAULT
}
.of_servers();

fn check(ctx: &mut Context<'_>) {
    let Some(server) = ctx.server() else { return };
    let spaces: Vec<String> =
        server.tablespaces.iter().map(|(name, size)| format!("{name} {}", bytes(*size))).collect();
    if !spaces.is_empty() {
        ctx.report(Draft::new(format!(
            "tablespaces are in use, and the service has none: {}, about",
            list(&spaces)
        )));
    }
    if server.large_objects > 0 {
        ctx.report(Draft::new(format!("large objects are moved one by one: {}", server.large_objects)));
    }
}
