//! What to do where findings stand in the way: each one's own advice, and the command that accepts them.

use std::collections::BTreeSet;

use tsmigrate_analyzer::rules;

use crate::results::Finding;

/// So many pieces of advice are said here; the findings say the rest.
const SHOWN: usize = 6;

/// The steps that lead on; `command` is the one of this run, as it can be pasted.
#[must_use]
pub(super) fn ways_on(findings: &[Finding], command: &str) -> Vec<String> {
    let open: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.severity == "error" && !finding.solved && !finding.accepted)
        .collect();
    if open.is_empty() {
        return Vec::new();
    }
    let mut next: Vec<String> = Vec::new();
    for advice in open.iter().filter_map(|finding| finding.advice.as_ref()) {
        if next.len() < SHOWN && !next.iter().any(|said| advice == said) {
            next.push(advice.to_string());
        }
    }
    // What follows from another finding is accepted with that one.
    let rules: BTreeSet<&str> = open.iter().map(|finding| finding.cause.unwrap_or(&finding.rule)).collect();
    let rules: Vec<&str> = rules.into_iter().collect();
    let or = if next.is_empty() { "go" } else { "or go" };
    let is_a_risk = |id: &&str| rules::rule(id).is_some_and(|rule| rule.is_a_risk);
    let how = if rules.iter().all(is_a_risk) {
        "with the risk that it fails"
    } else {
        "without what the target cannot have"
    };
    next.push(format!("{or} on {how}: {command} --accept {}", rules.join(",")));
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_what_is_accepted() {
        let finding =
            |rule: &'static str, cause: Option<&'static str>, advice: Option<&str>, solved| Finding {
                rule: rule.into(),
                severity: "error",
                part: "pre-data",
                line: 1,
                object: None,
                message: Box::default(),
                solved,
                accepted: false,
                lost: None,
                advice: advice.map(Into::into),
                cause,
                view: None,
            };
        let findings = [
            finding("B-1", Some("A-1"), None, false),
            finding("A-1", None, Some("do this"), false),
            finding("C-1", None, Some("do this"), false),
            finding("D-1", None, Some("never mind"), true),
        ];
        assert_eq!(
            ways_on(&findings, "tsmigrate migrate"),
            ["do this", "or go on without what the target cannot have: tsmigrate migrate --accept A-1,C-1"]
        );
        assert_eq!(ways_on(&findings[3..], ""), [""; 0]);
        let risk = [finding("FN-04", None, None, false)];
        assert_eq!(
            ways_on(&risk, "tsmigrate restore x"),
            ["go on with the risk that it fails: tsmigrate restore x --accept FN-04"]
        );
    }
}
