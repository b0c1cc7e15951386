//! Findings by what they ask and by rule.

use std::collections::BTreeMap;

use super::class::Class;
use super::entries::to_accept;
use super::whole::Report;
use crate::rule::Finding;
use crate::rules;

/// The findings of one rule that are of one class.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    /// Their class.
    pub class: Class,
    /// Their rule's id.
    pub rule: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The findings, in the order of the inputs and of their bytes.
    pub findings: Vec<&'a Finding>,
}

impl<'a> Report<'a> {
    /// The findings by class and rule: the worst first, then in the order in which rules first fired.
    #[must_use]
    pub fn groups(&self) -> Vec<Group<'a>> {
        let mut ranks: BTreeMap<(Class, &'static str), usize> = BTreeMap::new();
        let mut groups: BTreeMap<(Class, usize), Group<'a>> = BTreeMap::new();
        for finding in self.findings.findings() {
            let (class, rule) = (Class::of(finding), finding.rule.id);
            let next = ranks.len();
            let rank = *ranks.entry((class, rule)).or_insert(next);
            groups
                .entry((class, rank))
                .or_insert_with(|| Group { class, rule, name: finding.rule.name, findings: Vec::new() })
                .findings
                .push(finding);
        }
        groups.into_values().collect()
    }

    /// Open errors by the rule that has to be accepted, or whose statements have to be changed: its id, its name
    /// and how many errors.
    #[must_use]
    pub fn open_rules(&self) -> Vec<(&'a str, &'static str, u64)> {
        let mut open = BTreeMap::new();
        for finding in self.findings.findings().filter(|finding| Class::of(finding) == Class::Open) {
            for rule in to_accept(&self.findings.entry(finding)) {
                *open.entry(rule).or_insert(0) += 1;
            }
        }
        open.into_iter()
            .map(|(id, number)| (id, rules::rule(id).map_or("", |rule| rule.name), number))
            .collect()
    }
}
