//! What to do where findings stand in the way: each one's own advice, and the command that accepts them.

use std::collections::BTreeSet;

use crate::results::Finding;

/// So many pieces of advice are said here; the findings say the rest.
const SHOWN: usize = 6;

/// The steps that lead on.
#[must_use]
pub(super) fn ways_on(findings: &[Finding]) -> Vec<String> {
    let open: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.severity == "error" && !finding.solved && !finding.accepted)
        .collect();
    if open.is_empty() {
        return Vec::new();
    }
    let mut next: Vec<String> = Vec::new();
    for advice in open.iter().filter_map(|finding| finding.advice.as_ref()) {
        if next.len() < SHOWN && !next.contains(advice) {
            next.push(advice.clone());
        }
    }
    // What follows from another finding is accepted with that one.
    let rules: BTreeSet<&str> =
        open.iter().map(|finding| finding.cause.as_deref().unwrap_or(&finding.rule)).collect();
    let rules: Vec<&str> = rules.into_iter().collect();
    let or = if next.is_empty() { "go" } else { "or go" };
    next.push(format!(
        "{or} on without what the target cannot have: the same command with --accept {}",
        rules.join(",")
    ));
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_what_is_accepted() {
        let finding = |rule: &str, cause: Option<&str>, advice: Option<&str>, solved| Finding {
            rule: rule.to_owned(),
            severity: "error",
            part: "pre-data",
            line: 1,
            object: None,
            message: String::new(),
            solved,
            accepted: false,
            lost: None,
            advice: advice.map(str::to_owned),
            cause: cause.map(str::to_owned),
            view: None,
        };
        let findings = [
            finding("B-1", Some("A-1"), None, false),
            finding("A-1", None, Some("do this"), false),
            finding("C-1", None, Some("do this"), false),
            finding("D-1", None, Some("never mind"), true),
        ];
        assert_eq!(
            ways_on(&findings),
            [
                "do this",
                "or go on without what the target cannot have: the same command with --accept A-1,C-1"
            ]
        );
        assert_eq!(ways_on(&findings[3..]), [""; 0]);
    }
}
