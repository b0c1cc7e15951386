//! What all rules say of themselves is true.

use std::collections::BTreeSet;
use std::path::Path;

use super::{all, registry};
use crate::{Input, Options, Target, analyze};

#[test]
fn every_id_and_name_means_one_rule() {
    let mut names = BTreeSet::new();
    for name in all().flat_map(super::Rule::names) {
        assert!(names.insert(name.to_ascii_lowercase()), "{name} means two rules");
    }
    for rule in all() {
        let (family, number) = rule.id.split_once('-').unwrap();
        assert!(family.bytes().all(|b| b.is_ascii_uppercase()) && number.len() == 2, "{}", rule.id);
    }
}

#[test]
fn every_rule_runs_after_those_that_it_names() {
    let rules = registry().rules();
    let place = |id: &str| rules.iter().position(|rule| rule.id == id);
    for (at, rule) in rules.iter().enumerate() {
        for earlier in rule.after {
            if *earlier == "*" {
                let late = rules.iter().skip(at).find(|other| {
                    !matches!(other.about, super::About::Server | super::About::Move)
                        && !other.after.contains(&"*")
                });
                assert!(late.is_none(), "{late:?} runs after {}", rule.id);
            } else {
                assert!(place(earlier).is_some_and(|place| place < at), "{earlier} runs after {}", rule.id);
            }
        }
    }
}

#[test]
fn rules_find_nothing_where_they_do_not_look() {
    crate::analysis::ASK_ALL_RULES.set(true);
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
    let target = Target::default();
    let mut read = 0;
    let mut folders = vec![fixtures.join("rules"), fixtures.join("dumps")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "sql") {
                let text = std::fs::read(&path).unwrap();
                let options = Options::default();
                // What is no dump at all is refused: nothing looks at it.
                let _ = analyze(&[Input { name: "fixture.sql", text: &text }], &target, &options);
                read += 1;
            }
        }
    }
    assert!(read > 300, "only {read} fixtures were found");
}
