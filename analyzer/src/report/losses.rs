//! What is lost, by the rule that says so.

use std::collections::HashSet;

use crate::rule::Finding;

/// What the target will not have by one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss<'a> {
    /// The rule's id.
    pub rule: &'static str,
    /// In words, each once.
    pub lost: Vec<&'a str>,
}

/// Everything that is lost by these findings, by their rules in the order in which they first lose something.
pub(super) fn losses<'a>(findings: impl Iterator<Item = &'a Finding>) -> Vec<Loss<'a>> {
    let mut losses: Vec<Loss<'a>> = Vec::new();
    let mut seen = HashSet::new();
    for finding in findings.filter(|finding| finding.solved) {
        let lost = finding.fix.as_ref().and_then(|fix| fix.lost.as_deref());
        let Some(lost) = lost.filter(|lost| seen.insert(*lost)) else { continue };
        let rule = finding.rule.id;
        match losses.iter_mut().find(|loss| loss.rule == rule) {
            Some(group) => group.lost.push(lost),
            None => losses.push(Loss { rule, lost: vec![lost] }),
        }
    }
    losses
}
