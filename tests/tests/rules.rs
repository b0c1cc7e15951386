//! Every rule on real statements: what it finds, what it leaves alone, what the rewrite makes of it.
//! The snapshot beside a fixture holds its findings and the rewritten text; `fixture` says how fixtures are written.

// A test that cannot go on fails: that is what its unwraps and panics are for.
#![allow(clippy::unwrap_used, clippy::panic, clippy::naive_bytecount, clippy::similar_names)]

use std::fmt::Write as _;

use tsmigrate_analyzer::finding::Place;
use tsmigrate_analyzer::rules::of_dumps;
use tsmigrate_analyzer::{Analysis, Input, Options, Safety, Target, analyze};
use tsmigrate_tests::fixture::Fixture;

fn rendered(fixture: &Fixture, analysis: &Analysis) -> String {
    let mut out = String::new();
    for finding in &analysis.findings {
        let solved = match (&finding.fix, finding.solved, finding.allowed.as_deref()) {
            (_, _, Some(reason)) => format!("allowed: {reason}"),
            (_, true, _) => "solved".into(),
            (Some(_), false, _) => "needs review".into(),
            (None, false, _) => "no fix".into(),
        };
        let _ = writeln!(
            out,
            "{} {} {}:{}:{} {} ({solved})",
            finding.severity.name(),
            finding.rule.id,
            fixture.inputs[finding.place.input].0,
            finding.place.line,
            finding.place.column,
            finding.message,
        );
        let shown = &finding.excerpt;
        let _ = writeln!(out, "    at: {}", shown.text.get(shown.marked()).unwrap_or("(outside)"));
        if let Some(object) = &finding.object {
            let _ = writeln!(out, "    object: {object}");
        }
        if let Some(error) = &finding.server_error {
            let _ = writeln!(out, "    server: {} {}", error.sqlstate, error.text);
        }
        if let Some(fix) = &finding.fix {
            let _ = writeln!(out, "    fix: {}", fix.title);
            if let Some(lost) = &fix.lost {
                let _ = writeln!(out, "    lost: {lost}");
            }
        }
        if let Some(cause) = &finding.cause {
            let Place { line, column, .. } = cause.place;
            let _ = writeln!(out, "    see {line}:{column} [{}] {}", cause.rule.id, cause.object);
        }
        for related in &finding.related {
            let _ =
                writeln!(out, "    see {}:{} {}", related.place.line, related.place.column, related.message);
        }
    }
    for (index, (name, text)) in fixture.inputs.iter().enumerate() {
        let rewritten = analysis.rewritten(index, text.as_bytes());
        let _ = writeln!(out, "---- {name}, rewritten");
        out.push_str(&String::from_utf8_lossy(&rewritten));
    }
    // The script that converts tables has a snapshot of its own.
    for script in analysis.scripts.iter().filter(|script| script.rule == "TS-04") {
        let _ = write!(out, "---- {}, script of {}\n{}", script.file, script.rule, script.sql);
    }
    out
}

#[test]
fn every_fixture_gives_its_findings_and_its_rewrite() {
    insta::glob!("../fixtures/rules", "*/*.sql", |path| {
        let fixture = Fixture::read(path).unwrap();
        let analysis = fixture.analyse().unwrap();
        let found: Vec<&str> = analysis.findings.iter().map(|finding| finding.rule.id).collect();
        assert_eq!(found, fixture.expected, "{}\n{}", path.display(), rendered(&fixture, &analysis));
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true, snapshot_path => path.parent().unwrap(), snapshot_suffix => "" }, {
            insta::assert_snapshot!(path.file_stem().unwrap().to_str().unwrap(), rendered(&fixture, &analysis));
        });
    });
}

#[test]
fn what_was_rewritten_has_nothing_left_to_rewrite() {
    insta::glob!("../fixtures/rules", "*/*.sql", |path| {
        let mut fixture = Fixture::read(path).unwrap();
        let analysis = fixture.analyse().unwrap();
        for (index, (_, text)) in fixture.inputs.iter_mut().enumerate() {
            *text = String::from_utf8(analysis.rewritten(index, text.as_bytes())).unwrap();
        }
        // Additions such as GRANT … TO tsdbadmin are seen as the dump's own the second time.
        let has_statements = |text: &str| text.lines().any(|l| !l.starts_with("--") && !l.trim().is_empty());
        fixture.inputs.retain(|(_, text)| has_statements(text));
        let again = fixture.analyse().unwrap();
        let left: Vec<_> = again
            .findings
            .iter()
            .filter(|f| f.solved && f.severity > tsmigrate_analyzer::Severity::Note)
            .collect();
        assert!(left.is_empty(), "{}: {left:#?}", path.display());
    });
}

#[test]
fn every_rule_has_a_hit_and_a_miss_and_a_rewrite_where_it_has_a_fix() {
    let mut lacking = Vec::new();
    for rule in of_dumps() {
        let fixtures = Fixture::all(Some(rule.id)).unwrap();
        let hits = fixtures.iter().filter(|f| f.expected.iter().any(|id| id == rule.id)).count();
        let misses = fixtures.iter().filter(|f| !f.expected.iter().any(|id| id == rule.id)).count();
        if hits == 0 || misses == 0 {
            lacking.push(format!("{}: {hits} hits, {misses} misses", rule.id));
        }
        let rewritten =
            fixtures.iter().any(|f| f.analyse().unwrap().findings.iter().any(|x| x.rule == rule && x.solved));
        if rule.fix == Safety::Safe && !rewritten {
            lacking.push(format!("{}: no rewrite", rule.id));
        }
    }
    assert!(lacking.is_empty(), "{lacking:#?}");
}

#[test]
fn the_example_in_each_rules_documentation_makes_it_fire_and_its_rewrite_does_not() {
    let (target, options) = (Target::default(), Options::default());
    let fires = |id: &str, text: &str| {
        let analysis =
            analyze(&[Input { name: "example", text: text.as_bytes() }], &target, &options).unwrap();
        analysis.findings.iter().any(|finding| finding.rule.id == id)
    };
    for rule in of_dumps() {
        assert!(fires(rule.id, rule.doc.before), "{} does not fire on its example", rule.id);
        if rule.doc.after.lines().any(|line| !line.starts_with("--")) {
            assert!(!fires(rule.id, rule.doc.after), "{} fires on its rewritten example", rule.id);
        }
    }
}
