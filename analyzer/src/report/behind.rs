//! What is behind open errors: those with the same thing behind them are decided together.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::class::Class;
use crate::finding::Missing;
use crate::rule::Finding;

/// What is behind findings: those with the same one are decided together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key<'a> {
    /// Another statement, whose object is missing: the rule that found it, and the object.
    Object(&'a str, &'a str),
    /// Roles that nothing creates.
    Roles,
    /// Schemas that nothing creates.
    Schemas,
    /// What the server, or the rule, says of all of them.
    Said(&'a str, &'a str),
}

/// The numbers of decisions by what is behind a finding.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers<'a> {
    objects: HashSet<(&'a str, &'a str)>,
    numbers: HashMap<Key<'a>, u32>,
}

impl<'a> Numbers<'a> {
    /// Numbers what is behind findings, by how many each is behind.
    pub(super) fn new(findings: impl Iterator<Item = &'a Finding> + Clone) -> Arc<Self> {
        let open = findings.filter(|finding| Class::of(finding) == Class::Open);
        let causes = open.clone().filter_map(|finding| finding.cause.as_deref());
        let objects = causes.map(|cause| (cause.rule.id, cause.object.as_str())).collect();
        let mut all = Self { objects, numbers: HashMap::new() };
        let mut counts: HashMap<Key<'a>, (usize, usize)> = HashMap::new();
        for (at, finding) in open.enumerate() {
            counts.entry(all.key(finding)).or_insert((0, at)).0 += 1;
        }
        let mut order: Vec<_> = counts.into_iter().collect();
        order.sort_unstable_by_key(|&(_, (count, at))| (std::cmp::Reverse(count), at));
        all.numbers = order.into_iter().zip(1..).map(|((key, _), number)| (key, number)).collect();
        Arc::new(all)
    }

    /// The number of the decision that a finding waits for.
    pub(super) fn of(&self, finding: &'a Finding) -> Option<u32> {
        let open = Class::of(finding) == Class::Open;
        self.numbers.get(&self.key(finding)).copied().filter(|_| open)
    }

    /// What is behind a finding.
    pub(super) fn key(&self, finding: &'a Finding) -> Key<'a> {
        let rule = finding.rule.id;
        if let Some(cause) = finding.cause.as_deref() {
            return Key::Object(cause.rule.id, &cause.object);
        }
        if let Some(object) = finding.object.as_deref()
            && self.objects.contains(&(rule, object))
        {
            return Key::Object(rule, object);
        }
        let Some(error) = &finding.server_error else { return Key::Said(rule, &finding.message) };
        match error.missing {
            Some(Missing::Role(_)) => Key::Roles,
            Some(Missing::Schema(_)) => Key::Schemas,
            None => Key::Said(rule, &error.text),
        }
    }
}
