//! Differences that findings have announced: what will not be there, or will be different, and by which rule.

use std::collections::{BTreeMap, BTreeSet};

use super::identity::{self, Place};
use super::options::Expect;
use super::result::Difference;
use crate::inspect::Facts;
use crate::quote::quoted;

/// What findings said will not be there, or will be different.
pub(super) struct Announced {
    /// By object: the rule that takes it away.
    gone: BTreeMap<String, String>,
    /// By object: the rule that rewrites it.
    changed: BTreeMap<String, String>,
    /// What is lost in the rules' words: `log_statement of role app`.
    settings: Vec<(String, String)>,
    source: BTreeSet<String>,
}

impl Announced {
    pub(super) fn new(expect: &Expect<'_>) -> Self {
        let (mut gone, mut changed, mut settings) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for finding in expect.findings.iter().filter(|finding| finding.severity != "note") {
            // Only a rewrite that says what it takes away, or a statement that the target refuses, can explain that
            // something is not there. OWN-01 takes an owner away, never the object.
            let takes = finding.lost.is_some() || finding.severity == "error" && !finding.solved;
            if let Some(object) = finding.object.as_ref().filter(|_| finding.rule != "OWN-01") {
                if takes {
                    gone.entry(announced(object)).or_insert_with(|| finding.rule.clone());
                }
                if takes || finding.solved {
                    changed.entry(announced(object)).or_insert_with(|| finding.rule.clone());
                }
            }
            settings.extend(finding.lost.as_ref().map(|lost| (announced(lost), finding.rule.clone())));
        }
        for table in expect.skipped {
            changed.entry(plain(&table.to_string())).or_insert_with(|| "its rows stayed behind".to_owned());
        }
        Self { gone, changed, settings, source: extensions_left(expect.source, expect.target) }
    }

    /// Why a difference was to be expected. What the target has and the source does not was announced by nobody.
    pub(super) fn reason(&self, difference: &Difference) -> Option<String> {
        difference.expected.as_ref()?;
        let object = plain(&difference.object);
        if difference.kind == "extension" && self.source.contains(&object) {
            return Some("the service does not have it".into());
        }
        if matches!(difference.kind.as_str(), "role setting" | "database setting") {
            // What a database says to everybody has no role.
            let (whose, setting) = identity::rsplit_once(&object, " ").unwrap_or(("", &object));
            let lost = format!("{setting} of role {whose}");
            let found = self.settings.iter().find(|(text, _)| {
                text.ends_with(&lost)
                    || difference.kind == "database setting" && text.split(' ').any(|word| word == setting)
            });
            return found.map(|(_, rule)| rule.clone());
        }
        let of_publication = difference.kind == "publication schema";
        let announced =
            if difference.found.is_none() && !of_publication { &self.gone } else { &self.changed };
        let words = [format!("{} {object}", difference.kind), object.clone()];
        let table = identity::split_once(&object, " on ").map(|(_, table)| table.to_owned());
        let without_column = identity::rsplit_once(&object, ".").map(|(table, _)| table.to_owned());
        // A part goes with its table; that the table is rewritten says nothing about its parts.
        let part = |name: Option<String>| name.filter(|_| difference.found.is_none());
        // A comment goes with what it is on, and with the view that its column is of.
        let comment =
            object.strip_prefix("on ").filter(|_| difference.kind == "comment" && difference.found.is_none());
        let commented = comment.into_iter().flat_map(|on| {
            let place = match identity::place("comment", &object) {
                Place::Schema(relation) => relation.to_string(),
                Place::Database(_) => on.to_owned(),
            };
            [on.to_owned(), place]
        });
        let publication = identity::split_once(&object, " in ").filter(|_| of_publication);
        let candidates = words
            .into_iter()
            .chain(commented)
            .chain(publication.map(|(_, publication)| publication.to_owned()))
            .chain(part(table))
            .chain(part(without_column).filter(|_| difference.kind == "column"));
        candidates.into_iter().find_map(|name| {
            let name = identity::before(&name, "(").trim().to_owned();
            announced
                .iter()
                .find(|(object, _)| **object == name || object.ends_with(&format!(" {name}")))
                .map(|(_, rule)| rule.clone())
        })
    }
}

fn extensions_left(source: &Facts, target: &Facts) -> BTreeSet<String> {
    let here = |name: &&String| !target.extensions.contains_key(*name) && !target.creatable.contains(*name);
    source.extensions.keys().filter(here).cloned().collect()
}

/// An object in the words of a rule, which write roles without quotes: `setting work_mem of role a b`.
fn announced(object: &str) -> String {
    match object.rsplit_once("role ").filter(|(_, name)| !name.starts_with('"')) {
        Some((words, name)) if words.is_empty() || words.ends_with(' ') => {
            format!("{} role {}", plain(words), quoted(name)).trim_start().to_owned()
        }
        _ => plain(object),
    }
}

/// An object in the words of a rule or a server, without its arguments, and with quotes where names need them.
fn plain(object: &str) -> String {
    identity::plain(identity::before(object, "(").trim())
}
