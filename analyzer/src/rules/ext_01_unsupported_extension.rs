//! EXT-01: an extension that the target does not take.

use super::{Context, Doc, Draft, Finish, FixDraft, Rule};
use crate::edit::Safety;
use crate::finding::{Related, ServerError, Severity};
use crate::parse::NodeEnum;

/// See the module's head.
pub const RULE: Rule = Rule {
    id: "EXT-01",
    name: "unsupported-extension",
    severity: Severity::Error,
    fix: Safety::Safe,
    doc: Doc {
        summary: "CREATE EXTENSION of an extension that the target does not take.",
        what: "Extensions that are not on the target's list, with everything in the dump that depends on them.",
        why: "The service installs extensions from a list; all others need a superuser, or are not there at all.",
        server: &[
            "42501 permission denied to create extension \"dblink\"",
            "0A000 extension \"hll\" is not available",
        ],
        help: "The statement and its comment are taken out. Everything that depends on the extension is listed with \
               it: replace it first, or leave it out with --accept EXT-01.",
        before: "CREATE EXTENSION IF NOT EXISTS dblink WITH SCHEMA public;",
        after: "-- tsmigrate EXT-01: the target does not take dblink\n-- CREATE EXTENSION IF NOT EXISTS dblink WITH SCHEMA public;",
        sources: &[
            "tigerdata.com docs, Tiger Cloud extensions (see tsmigrate's target file for the lists and their dates)",
        ],
        link: "https://www.tigerdata.com/docs/deploy/tiger-cloud/tiger-cloud-aws/tiger-cloud-extensions",
    },
    check,
    finish: Some(finish),
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, NodeEnum::CreateExtensionStmt(s))) = ctx.node() else { return };
    let name = &s.extname;
    if ctx.target.allows_extension(name) {
        return;
    }
    let once: Vec<&str> = ctx.target.once_listed(name).map(|list| list.name.as_str()).collect();
    let mut message = format!("the target does not take extension \"{name}\"");
    if let Some(last) = once.last() {
        message.push_str(&format!(" any more (it was on the list of {last})"));
    }
    let range = statement.words(&["EXTENSION"]).and_then(|word| {
        let exists = statement.words_from(word.end, &["IF", "NOT", "EXISTS"]);
        statement.name_at(exists.map_or(word.end, |exists| exists.end))
    });
    let mut draft = Draft::new(message)
        .object(format!("extension {name}"))
        .server(
            ServerError::new("42501", format!("permission denied to create extension \"{name}\""))
                .hint("Must be superuser to create this extension."),
        )
        .fix(FixDraft::remove(format!("the target does not take {name}")).lost(format!("extension {name}")));
    if let Some(range) = range {
        draft = draft.at(range);
    }
    ctx.report(draft);
}

/// Lists under each extension what depends on it.
fn finish(all: &mut Finish<'_>) {
    let mut dependents: Vec<(String, Related)> = Vec::new();
    for finding in
        all.findings.iter().filter(|finding| finding.rule == super::dep_01_missing_dependency::RULE.id)
    {
        let Some(cause) = finding.related.first().and_then(|r| r.message.strip_prefix("[EXT-01] ")) else {
            continue;
        };
        let message = finding.object.clone().unwrap_or_else(|| finding.message.clone());
        dependents.push((cause.to_owned(), Related { place: finding.place, message }));
    }
    for finding in all.findings.iter_mut().filter(|finding| finding.rule == RULE.id) {
        let Some(object) = &finding.object else { continue };
        finding
            .related
            .extend(dependents.iter().filter(|(cause, _)| cause == object).map(|(_, r)| r.clone()));
    }
}
