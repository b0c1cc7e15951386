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
