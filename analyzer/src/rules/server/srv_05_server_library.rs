//! SRV-05: Libraries that a live server preloads, and the service does not.

use crate::edit::Safety;
use crate::finding::Severity;
use crate::rule::{Context, Doc, Draft, Rule};
use crate::server::list;

pub(crate) const RULE: Rule = Rule {
    id: "SRV-05",
    name: "server-library",
    severity: Severity::Note,
    fix: Safety::None,
    also_answers: &["EXT-09"],
    doc: Doc {
        summary: "Libraries that the server preloads and a service does not.",
        what: "Names in shared_preload_libraries that belong to no extension the service takes.",
        why: "What a library does by itself (logging, checks, hooks) leaves no trace in a dump, and it is not done on the service.",
        server: &[],
        help: "Find out who needs it. The service's settings are changed in its console.",
        before: "",
        after: "",
        sources: Doc::sources(&["pg_settings, shared_preload_libraries"]),
        link: "https://www.postgresql.org/docs/current/runtime-config-client.html",
    },
    check,
    ..Rule::DEFAULT
}
.of_servers();

fn check(ctx: &mut Context<'_>) {
    let Some(server) = ctx.server() else { return };
    let unknown: Vec<String> = server
        .preload_libraries
        .iter()
        .filter(|library| {
            let name = library.rsplit('/').next().unwrap_or(library);
            !ctx.target.allows_extension(name)
        })
        .cloned()
        .collect();
    if !unknown.is_empty() {
        ctx.report(Draft::new(format!("the server preloads {}, the service does not", list(&unknown))));
    }
}
