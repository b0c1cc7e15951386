//! The catalogue of rules is complete, and the page in the repository is the one that the rules make.

// A test that cannot go on fails: that is what its unwraps are for.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tsmigrate_analyzer::rules::catalogue::limits;
use tsmigrate_analyzer::rules::markdown;
use tsmigrate_tests::lab::skipped;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn the_committed_catalogue_is_what_the_rules_say() {
    let path = here("../analyzer/CATALOGUE.md");
    let page = markdown();
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = committed.lines().zip(page.lines()).find(|(old, new)| old != new);
    assert!(
        committed == page,
        "analyzer/CATALOGUE.md is not what the rules say (first at {differs:?}): write it anew with\n  \
         INSTA_UPDATE=always cargo test -p tsmigrate-tests --test catalogue"
    );
}

/// The ids that a text defines or speaks of: the letters of one of these families, a dash, two digits.
fn ids(text: &str, families: &BTreeSet<&str>) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .filter(|word| {
            word.split_once('-').is_some_and(|(family, number)| {
                families.contains(family) && number.len() == 2 && number.bytes().all(|b| b.is_ascii_digit())
            })
        })
        .map(Into::into)
        .collect()
}

#[test]
fn every_known_limit_is_in_the_catalogue() {
    let path = here("../../shared/limits.md");
    let Ok(text) = std::fs::read_to_string(path) else {
        skipped("every_known_limit_is_in_the_catalogue", "there is no ../shared/limits.md");
        return;
    };
    let limits = limits();
    // Versions and open questions have numbers of another form: see below.
    let families = limits.iter().filter_map(|limit| limit.id.split('-').next());
    let wanted = ids(&text, &families.filter(|family| !matches!(*family, "PG" | "NS")).collect());
    assert!(wanted.len() > 130, "only {} ids were found: the file is written in another way", wanted.len());
    // Of the matrix of versions each line begins with its version.
    let matrix = text.split("## 14.").nth(1).and_then(|rest| rest.split("## 15.").next()).unwrap();
    let versions: Vec<String> = matrix
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse::<u32>().ok())
        .map(|version| format!("PG-{version}"))
        .collect();
    assert!(versions.len() > 5, "{versions:?}");
    let open = text.split("## 16.").nth(1).unwrap().lines();
    let open =
        open.filter_map(|line| line.split_once(". ")?.0.parse::<u32>().ok()).map(|n| format!("NS-{n}"));
    let known: BTreeSet<&str> = limits.iter().map(|limit| limit.id).collect();
    let missing: Vec<String> =
        wanted.into_iter().chain(versions).chain(open).filter(|id| !known.contains(id.as_str())).collect();
    assert!(
        missing.is_empty(),
        "neither a rule answers for them nor analyzer/src/rules/catalogue.rs names them: {missing:?}"
    );
}

/// Files that are about no single rule and name some all the same: what these do outside of their turn. The list may only
/// shrink.
const NAMED: &[(&str, &[&str])] = &[
    ("analyzer/src/analysis/bytes.rs", &["IN-08", "IN-18"]),
    ("analyzer/src/analysis/comments.rs", &["IN-13"]),
    ("analyzer/src/analysis/levels.rs", &["IN-13"]),
    ("analyzer/src/analysis/pieces.rs", &["IN-10", "IN-11"]),
    ("analyzer/src/analysis/plan.rs", &["DB-02", "TS-04"]),
    ("analyzer/src/analysis/sections.rs", &["IN-10", "DB-02"]),
    ("analyzer/src/analysis/session.rs", &["TS-04"]),
    ("analyzer/src/analysis/statement.rs", &["DEP-01"]),
    // Only the pass knows which errors a fix solves, and so which transactions fail.
    ("analyzer/src/analysis/transaction.rs", &["IN-17"]),
    // The order in which the server looks for what is in the way of a hypertable, and what the script does about it.
    (
        "analyzer/src/rules/hypertable/obstacles.rs",
        &[
            "HT-02", "HT-03", "HT-04", "HT-05", "HT-06", "HT-07", "HT-08", "HT-09", "HT-10", "HT-11",
            "HT-12", "HT-13", "HT-15", "HT-17", "HT-18",
        ],
    ),
    ("analyzer/src/rules/hypertable/script.rs", &["HT-02", "HT-07", "HT-12", "HT-13", "HT-17"]),
    // A migration asks the source what no dump has, as a check does.
    ("runner/src/analysis.rs", &["SRV-15", "SRV-16"]),
    // What is copied beside the dump is created by none of its statements.
    ("runner/src/migrate/beside.rs", &["MAP-06"]),
    ("runner/src/migrate/stages/access.rs", &["DEP-02"]),
    ("runner/src/verify/announced.rs", &["OWN-01", "HT-02"]),
    // Both change something without a word for it among what is lost.
    ("runner/src/verify/changed.rs", &["IN-06", "IN-15", "ROLE-01"]),
    ("tests/src/score.rs", &["DB-02"]),
];

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// What a new rule touches: its file, its family (its `mod` and its line of the list), its fixtures, and what is written
/// from them (snapshots, CATALOGUE.md). To add one to a scratch copy would compile the analyzer and its tests again to find
/// a place where rules are named one by one; reading finds each such place by the rules that are there already. Files of
/// other rules may name a rule: that is their own matter.
#[test]
fn a_rule_is_named_by_its_file_its_family_and_its_fixtures() {
    let top = here("..").canonicalize().unwrap();
    let mut files = Vec::new();
    for part in ["analyzer/src", "runner/src", "web/src", "tests/src"] {
        rust_files(&top.join(part), &mut files);
    }
    let module = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let prefix = |id: &str| format!("{}_", id.to_ascii_lowercase().replace('-', "_"));
    let ids: Vec<&str> = tsmigrate_analyzer::rules::all().map(|rule| rule.id).collect();
    let is_of = |path: &Path, id: &str| {
        module(path).starts_with(&prefix(id)) && path.to_str().unwrap().contains("/rules/")
    };
    let mut wrong = Vec::new();
    for id in &ids {
        let own: Vec<&PathBuf> = files.iter().filter(|path| is_of(path, id)).collect();
        let [own] = own.as_slice() else {
            wrong.push(format!("{id} has {} files", own.len()));
            continue;
        };
        let family = std::fs::read_to_string(own.with_file_name("mod.rs")).unwrap();
        let listed = [format!("pub mod {};", module(own)), format!("&{}::RULE", module(own))];
        if family.matches(&module(own)).count() != 2 || !listed.iter().all(|line| family.contains(line)) {
            wrong.push(format!("{id} is not listed in its family once: {listed:?}"));
        }
    }
    for path in &files {
        let is_family = module(path) == "mod" && path.to_str().unwrap().contains("/rules/");
        if is_family || path.ends_with("tests.rs") || ids.iter().any(|id| is_of(path, id)) {
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        let text = text.split("mod tests {").next().unwrap();
        let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let names = |id: &&&str| {
            let (literal, module) = (format!("\"{id}\""), prefix(id));
            code.iter().any(|line| line.contains(&literal) || line.contains(&module))
        };
        let name = path.strip_prefix(&top).unwrap().to_str().unwrap();
        let found: Vec<&str> = ids.iter().filter(names).copied().collect();
        let known = NAMED.iter().find(|(file, _)| *file == name).map_or(&[][..], |(_, ids)| ids);
        if found != known {
            wrong.push(format!("{name} names {found:?}, and {known:?} is what it may"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
