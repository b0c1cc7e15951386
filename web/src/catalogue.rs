//! What the page offers to choose from, and what it tells of each rule.

use serde::Serialize;
use tsmigrate_analyzer::finding::Severity;
use tsmigrate_analyzer::target::{NEWEST_VERSION, OLDEST_VERSION};
use tsmigrate_analyzer::{Safety, Target, rules};
use wasm_bindgen::prelude::wasm_bindgen;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Catalogue {
    version: &'static str,
    rules: Vec<Entry>,
    target: String,
    target_version: u32,
    target_versions: Vec<u32>,
    extension_lists: Vec<List>,
}

#[derive(Serialize)]
struct Entry {
    id: &'static str,
    name: &'static str,
    severity: Severity,
    fix: Safety,
    summary: &'static str,
    docs: &'static str,
    what: &'static str,
    why: &'static str,
    server: &'static [&'static str],
    help: &'static str,
    before: &'static str,
    after: &'static str,
}

#[derive(Serialize)]
struct List {
    name: String,
    date: String,
    source: String,
    extensions: Vec<String>,
}

/// The rules, and the choices of the target, as JSON: `version`, `rules` (`id`, `name`, `severity`, `fix`, and their
/// documentation: `summary`, `docs`, `what`, `why`, `server`, `help`, `before`, `after`), `target`, `targetVersion`, `targetVersions`, `extensionLists` (`name`, `date`, `source`, `extensions`; the
/// newest last, which counts).
#[wasm_bindgen]
#[must_use]
pub fn catalogue() -> String {
    let target = Target::default();
    let entries = rules::of_dumps().map(|rule| Entry {
        id: rule.id,
        name: rule.name,
        severity: rule.severity,
        fix: rule.fix,
        summary: rule.doc.summary,
        docs: rule.doc.link,
        what: rule.doc.what,
        why: rule.doc.why,
        server: rule.doc.server,
        help: rule.doc.help,
        before: rule.doc.before,
        after: rule.doc.after,
    });
    let lists = target.extension_lists.iter().map(|list| List {
        name: list.name.clone(),
        date: list.date.clone(),
        source: list.source.clone(),
        extensions: list.extensions.iter().cloned().collect(),
    });
    let catalogue = Catalogue {
        version: env!("CARGO_PKG_VERSION"),
        rules: entries.collect(),
        target: target.name.clone(),
        target_version: target.version,
        target_versions: (OLDEST_VERSION..=NEWEST_VERSION).collect(),
        extension_lists: lists.collect(),
    };
    serde_json::to_string(&catalogue).unwrap_or_default()
}
