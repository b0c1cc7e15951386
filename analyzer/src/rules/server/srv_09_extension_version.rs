//! SRV-09: Extensions in other versions on the two ends.

use crate::edit::Safety;
use crate::finding::Severity;
use crate::rule::{Context, Doc, Draft, Rule};
use crate::server::list;

pub(crate) const RULE: Rule = Rule {
    id: "SRV-09",
    name: "extension-update",
    severity: Severity::Note,
    fix: Safety::None,
    also_answers: &["EXT-05"],
    doc: Doc {
        summary: "Extensions that both servers have in different versions.",
        what: "Versions of extensions on a live source and a live target.",
        why: "A dump does not name a version: the target installs its own. Stored values and functions may differ between versions.",
        server: &[],
        help: "Update the older side where it matters: ALTER EXTENSION … UPDATE.",
        before: "",
        after: "",
        sources: Doc::sources(&["pg_extension.extversion", "pg_available_extensions.default_version"]),
        link: "https://www.postgresql.org/docs/current/sql-alterextension.html",
    },
    check,
    ..Rule::DEFAULT
}
.of_servers();

fn check(ctx: &mut Context<'_>) {
    let (Some(server), Some(theirs)) = (ctx.server(), &ctx.target.live_versions) else { return };
    let differing: Vec<String> = server
        .extensions
        .iter()
        .filter(|(name, _)| *name != "timescaledb")
        .filter_map(|(name, ours)| {
            let theirs = theirs.get(name).filter(|theirs| *theirs != ours)?;
            Some(format!("{name} {ours} here, {theirs} there"))
        })
        .collect();
    if !differing.is_empty() {
        ctx.report(Draft::new(format!("extensions have other versions on the target: {}", list(&differing))));
    }
}
