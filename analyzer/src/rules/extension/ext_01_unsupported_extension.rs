//! EXT-01: an extension that the target does not take.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::edit::Safety;
use crate::facts::names::{option, quoted};
use crate::finding::{Place, Related, ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, Finish, FixDraft, InBodies, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "EXT-01",
    name: "unsupported-extension",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "extension.unsupported",
        "Extensions that the service does not offer, with what to use in their place; what depends on them is DEP-01's.",
    ),
    also_answers: &["PG-13", "PG-17", "NS-3"],
    statements: &[StatementKind::CreateExtensionStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: true },
    doc: Doc {
        summary: "CREATE EXTENSION of an extension that the target refuses.",
        what: "Extensions that are not on the target's list, with everything in the dump that depends on them. \
               CREATE LANGUAGE of a language without a handler is CREATE EXTENSION in other words.",
        why: "The service installs extensions from a list; all others need a superuser, or do not exist at all.",
        server: &[
            "42501 permission denied to create extension \"dblink\"",
            "58P01 could not open extension control file \"…/pg_partman.control\": No such file or directory",
            "0A000 extension \"pg_partman\" is not available",
        ],
        help: "The statement and its comment are removed. Everything that depends on the extension is listed with it: replace it first, or leave it out with --accept EXT-01.",
        before: "CREATE EXTENSION IF NOT EXISTS dblink WITH SCHEMA public;",
        after: "-- tsmigrate EXT-01: Remove it: the target refuses dblink\n-- CREATE EXTENSION IF NOT EXISTS dblink WITH SCHEMA public;",
        sources: Doc::sources(&[
            "tigerdata.com docs, Tiger Cloud extensions (the target file has the lists and their dates)",
            "timescale/pgextwlist, pgextwlist.c",
        ]),
        link: "https://www.tigerdata.com/docs/deploy/tiger-cloud/tiger-cloud-aws/tiger-cloud-extensions",
    },
    check,
    finish: Some(finish),
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, NodeEnum::CreateExtensionStmt(s))) = ctx.node() else { return };
    let name = &s.extname;
    if ctx.target.allows_extension(name) || s.if_not_exists && ctx.target.installed_in(name).is_some() {
        return;
    }
    let refused = ctx.target.refused_extensions.contains(name);
    let mut message = match ctx.target.extension_list() {
        _ if refused => format!("the target refuses extension \"{name}\", as it is configured"),
        Some(list) if list.name == "configured" => {
            format!("extension \"{name}\" is not on the list that is configured for the target")
        }
        Some(list) => format!("extension \"{name}\" is not on the target's list of {}", list.date),
        None => format!("the target refuses extension \"{name}\""),
    };
    if let Some(last) = ctx.target.once_listed(name).last().filter(|_| !refused) {
        message = format!("{message} (it was on the list of {})", last.date);
    }
    let server = if ctx.target.packaged_extensions.contains(name) {
        ServerError::new("42501", format!("permission denied to create extension \"{name}\""))
            .hint("Must be superuser to create this extension.")
    } else if ["schema", "new_version"].iter().all(|name| option(&s.options, name).is_some()) {
        // Nothing to look up in the control file before PostgreSQL itself opens it.
        ServerError::new("0A000", format!("extension \"{name}\" is not available"))
    } else {
        let file =
            format!("could not open extension control file \"…/{name}.control\": No such file or directory");
        ServerError::new("58P01", file)
    };
    let mut draft = Draft::new(message)
        .object(format!("extension {}", quoted(name)))
        .server(server)
        .fix(FixDraft::remove(format!("the target refuses {name}")).lost(format!("extension {name}")));
    if let Some(range) = extension_name(statement) {
        draft = draft.at(range);
    }
    if let Some(advice) = ctx.target.extension_advice.get(name) {
        draft = draft.advice(advice);
    }
    ctx.report(draft);
}

/// The bytes of the extension's name.
pub(crate) fn extension_name(statement: &Statement<'_>) -> Option<Range<usize>> {
    let word = statement.words(&["EXTENSION"]).or_else(|| statement.words(&["LANGUAGE"]))?;
    let exists = statement.words_from(word.end, &["IF", "NOT", "EXISTS"]);
    statement.name_at(exists.map_or(word.end, |exists| exists.end))
}

/// Lists under each extension what depends on it.
fn finish(all: &mut Finish<'_>) {
    // An extension that is created twice has, each time, what stands behind that statement.
    let key = |place: Place, object: &str| (place.input, place.statement, object.to_owned());
    let mut dependents: HashMap<_, (Vec<Related>, HashSet<Box<str>>)> = HashMap::new();
    for finding in all.findings.iter() {
        let Some(cause) = finding.cause.as_ref().filter(|cause| *cause.rule == RULE) else { continue };
        let message = finding.object.as_ref().unwrap_or(&finding.message);
        let (related, known) = dependents.entry(key(cause.place, &cause.object)).or_default();
        // A table's columns, keys and rows are one table to a reader.
        if known.insert(message.clone()) {
            related.push(Related { place: finding.place, message: (&**message).into() });
        }
    }
    for finding in all.findings.iter_mut().filter(|finding| *finding.rule == RULE) {
        let Some(object) = &finding.object else { continue };
        if let Some((related, _)) = dependents.remove(&key(finding.place, object)) {
            finding.related = std::mem::take(&mut finding.related).into_iter().chain(related).collect();
        }
    }
}
