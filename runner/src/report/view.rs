//! What the result view is given of a run, as JSON that may stand in a page.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;
use serde_json::{Value, json};
use tsmigrate_analyzer::report::page::{InPage, RuleWords};
use tsmigrate_analyzer::rules::rule;

use super::Report;
use crate::results::{Decision, Finding};

/// Findings that are put into one page: more make it slow to open. The JSON has all.
const FINDINGS: usize = 20_000;

/// The data of a page.
///
/// # Errors
/// None: writing to memory does not fail.
pub(super) fn data(report: &Report) -> io::Result<String> {
    let rules: BTreeMap<&str, RuleWords> = report
        .findings
        .iter()
        .filter_map(|finding| Some((finding.rule.as_str(), RuleWords::of(rule(&finding.rule)?))))
        .collect();
    let number = |severity: &str, solved: Option<bool>| {
        let is_one = |finding: &&Finding| {
            finding.severity == severity && solved.is_none_or(|solved| finding.solved == solved)
        };
        report.findings.iter().filter(is_one).count()
    };
    let data = json!({
        "counts": {
            "unsolved": number("error", Some(false)),
            "solved": number("error", Some(true)),
            "warning": number("warning", None),
            "note": number("note", None),
            "allowed": 0,
        },
        "decisions": report.decisions.iter().map(decision).collect::<Vec<_>>(),
        // What is lost stands in a section of its own, with what did not arrive.
        "lost": [],
        "rules": rules,
        "findings": worst_first(&report.findings).map(finding).collect::<Vec<_>>(),
    });
    let mut out = Vec::new();
    data.serialize(&mut serde_json::Serializer::with_formatter(&mut out, InPage))?;
    String::from_utf8(out).map_err(io::Error::other)
}

/// So many as a page holds; each class in the order of the dump.
fn worst_first(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    let rank = |finding: &Finding| match (finding.severity, finding.solved) {
        ("error", false) => 0,
        ("error", true) => 1,
        ("warning", _) => 2,
        _ => 3,
    };
    (0..=3).flat_map(move |wanted| findings.iter().filter(move |one| rank(one) == wanted)).take(FINDINGS)
}

fn decision(decision: &Decision) -> Value {
    json!({
        "number": decision.number,
        "title": decision.title,
        "why": decision.why,
        "blocks": decision.blocks,
        "choices": decision.ways,
    })
}

/// A finding as the analysis has it; of one that no dump has, what there is.
fn finding(finding: &Finding) -> Value {
    let Finding { rule, severity, object, message, solved, accepted, .. } = finding;
    let live = || {
        json!({
            "rule": rule, "severity": severity, "object": object, "file": "the source", "line": 0,
            "message": message, "solved": solved, "accepted": accepted,
        })
    };
    finding.view.clone().unwrap_or_else(live)
}
