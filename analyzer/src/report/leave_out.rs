//! To leave out what cannot be on the target: what a decision takes with it, and what is lost then.

use std::collections::HashSet;

use super::behind::accepted_by;
use super::choice::{Choice, Way};
use super::entries::Entries;
use crate::edit::Safety;
use crate::human::{count, thousands};
use crate::rule::Finding;

/// Things lost that a choice names.
const NAMED: usize = 3;

/// What can be left out, or changed with a loss, where its rule is accepted. Few kinds of collections: each is code in the
/// browser's module.
pub(super) struct Losses<'a> {
    all: Vec<&'a Finding>,
}

/// A fix that needs consent, or none for what fails and can be taken out.
fn is_left_out(finding: &Finding) -> bool {
    let fix = finding.fix.as_deref();
    let can_go = finding.can_go || finding.rule.of_databases || finding.rule.is_a_risk;
    fix.map_or_else(|| can_go && finding.fails(), |fix| fix.safety == Safety::Review)
}

impl<'a> Losses<'a> {
    /// Those of all findings. What a server says of itself is no statement that could be left out.
    pub(super) fn new(findings: &Entries<'a>) -> Self {
        let open = |finding: &&Finding| {
            !finding.solved && finding.allowed.is_none() && finding.place.line > 0 && is_left_out(finding)
        };
        let open = findings.findings().filter(open);
        Self { all: open.filter(|finding| !findings.entry(finding).left).collect() }
    }

    /// To leave the statements of a decision out, or parts of them, with all that the same command takes elsewhere; none
    /// where nothing can be left out.
    pub(super) fn leave_out(&self, number: u32, findings: &Entries<'a>) -> Option<Choice> {
        let is_own = |finding: &&&Finding| findings.decision(finding) == Some(number);
        let own: Vec<&Finding> = self.all.iter().filter(is_own).copied().collect();
        let mut accept: Vec<&str> = Vec::new();
        for rule in own.iter().map(|finding| accepted_by(finding)) {
            if !accept.contains(&rule) {
                accept.push(rule);
            }
        }
        accept.sort_unstable();
        if accept.is_empty() {
            return None;
        }
        let is_taken = |finding: &&&Finding| accept.contains(&accepted_by(finding)) && !is_own(finding);
        let others: Vec<&Finding> = self.all.iter().filter(is_taken).copied().collect();
        let of_others = others.iter().filter(|finding| findings.decision(finding).is_some()).count() as u64;
        let elsewhere = match of_others {
            0 => String::new(),
            errors => format!(", and {} of other decisions", count(errors, "error")),
        };
        Some(Choice {
            what: what(&own) + &elsewhere,
            lost: lost(own.iter().chain(&others)),
            command: Some(format!("--accept {}", accept.join(","))),
            way: Way::Option,
        })
    }
}

/// What is done with the statements of a decision.
fn what(own: &[&Finding]) -> String {
    let mut statements = 0;
    let mut last = None;
    // They come in the order of the inputs and of their bytes.
    for finding in own {
        let at = Some((finding.place.input, finding.place.statement, finding.place.line));
        statements += usize::from(last != at);
        last = at;
    }
    let all = count(statements as u64, "statement");
    let title = |finding: &Finding| finding.fix.as_ref().map(|fix| fix.title.to_string());
    let first = own.iter().find_map(|finding| title(finding));
    let is_same = own.iter().all(|finding| title(finding) == first);
    match (first, statements) {
        _ if own.iter().all(|finding| finding.rule.of_databases) => {
            format!("Leave out {}, with all objects and rows", count(own.len() as u64, "database"))
        }
        _ if own.iter().all(|finding| finding.rule.is_a_risk) => {
            "Take the risk that it fails, and keep it".to_owned()
        }
        _ if own.iter().any(|finding| finding.cause.is_some()) => format!("Leave out what needs it ({all})"),
        (None, 1) => "Leave the statement out".to_owned(),
        (None, _) => format!("Leave out {all}"),
        (Some(title), 1) if is_same => title,
        (Some(title), _) if is_same => format!("{title} ({all})"),
        (Some(title), _) => format!("Accept changes of {all}, such as: {title}"),
    }
}

/// What the target will not have then: each once, the first by name and all by number.
fn lost<'f>(findings: impl Iterator<Item = &'f &'f Finding>) -> Option<String> {
    let mut all: Vec<String> = Vec::new();
    for finding in findings {
        match finding.fix.as_deref() {
            Some(fix) => all.extend(fix.lost.as_deref().map(str::to_owned)),
            None if finding.rule.is_a_risk => {}
            None => all.push(finding.left_out()),
        }
    }
    let mut seen = HashSet::new();
    let all: Vec<&str> = all.iter().map(String::as_str).filter(|lost| seen.insert(*lost)).collect();
    let shown = all.iter().take(NAMED).copied().collect::<Vec<_>>().join("; ");
    match all.len().saturating_sub(NAMED) as u64 {
        0 => (!all.is_empty()).then_some(shown),
        more => Some(format!("{shown}; and {} more", thousands(more))),
    }
}
