//! What the result view is given of a run, as JSON that may stand in a page.

use std::collections::BTreeMap;
use std::io;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use tsmigrate_analyzer::report::page::{InPage, RuleWords};
use tsmigrate_analyzer::rules::rule;

use super::Report;
use crate::results::{Decision, Finding, worst_first};

/// The data of a page.
///
/// # Errors
/// None: writing to memory does not fail.
pub(super) fn data(report: &Report) -> io::Result<String> {
    let rules: BTreeMap<&str, RuleWords> = report
        .findings
        .iter()
        .filter_map(|finding| Some((&*finding.rule, RuleWords::of(rule(&finding.rule)?))))
        .collect();
    let number = |severity: &str, solved: Option<bool>| {
        let is_one = |finding: &&Finding| {
            finding.severity == severity && solved.is_none_or(|solved| finding.solved == solved)
        };
        report.findings.iter().filter(is_one).count()
    };
    let data = Data {
        counts: json!({
            "unsolved": number("error", Some(false)),
            "solved": number("error", Some(true)),
            "warning": number("warning", None),
            "note": number("note", None),
            "allowed": 0,
        }),
        decisions: report.decisions.iter().map(decision).collect(),
        lost: [],
        rules,
        findings: &report.findings,
    };
    let mut out = Vec::new();
    data.serialize(&mut serde_json::Serializer::with_formatter(&mut out, InPage))?;
    String::from_utf8(out).map_err(io::Error::other)
}

#[derive(Serialize)]
struct Data<'a> {
    counts: Value,
    decisions: Vec<Value>,
    /// What is lost stands in a section of its own, with what did not arrive.
    lost: [(); 0],
    rules: BTreeMap<&'a str, RuleWords>,
    #[serde(serialize_with = "worst")]
    findings: &'a [Finding],
}

/// One at a time: all of them as values would take more memory than anything else of a run.
fn worst<S: Serializer>(findings: &[Finding], serializer: S) -> Result<S::Ok, S::Error> {
    serializer
        .collect_seq(worst_first(findings, |one| (one.severity, one.solved)).map(|(_, one)| finding(one)))
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
    let view = finding.view.as_ref().and_then(|view| serde_json::from_str(view).ok());
    view.unwrap_or_else(live)
}
