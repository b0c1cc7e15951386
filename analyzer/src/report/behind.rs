//! What is behind open errors: those that the same answer decides are decided together.

use std::collections::HashMap;
use std::sync::Arc;

use super::class::Class;
use crate::finding::Missing;
use crate::rule::Finding;

/// What is behind findings: those with the same one are decided together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key<'a> {
    /// Roles that nothing creates.
    Roles,
    /// Schemas that nothing creates.
    Schemas,
    /// What is accepted with this rule: it takes all of them at once.
    Rule(&'a str),
}

/// The rule that has to be accepted for the statement of a finding to be left out or changed with a loss: that of its
/// cause, or its own.
pub(super) fn accepted_by(finding: &Finding) -> &'static str {
    finding.cause.as_deref().map_or(finding.rule, |cause| cause.rule).id
}

/// The numbers of decisions by what is behind a finding.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers<'a> {
    /// What is behind objects that others miss.
    objects: HashMap<(&'a str, &'a str), Key<'a>>,
    numbers: HashMap<Key<'a>, u32>,
}

impl<'a> Numbers<'a> {
    /// Numbers what is behind findings, by how many each is behind.
    pub(super) fn new(findings: impl Iterator<Item = &'a Finding> + Clone) -> Arc<Self> {
        let open = findings.filter(|finding| Class::of(finding) == Class::Open);
        let mut all = Self::default();
        for cause in open.clone().filter_map(|finding| finding.cause.as_deref()) {
            all.objects.insert((cause.rule.id, &cause.object), Key::Rule(cause.rule.id));
        }
        for finding in open.clone().filter(|finding| finding.cause.is_none()) {
            if let (Some(object), key @ (Key::Roles | Key::Schemas)) =
                (finding.object.as_deref(), own(finding))
                && let Some(known) = all.objects.get_mut(&(finding.rule.id, object))
            {
                *known = key;
            }
        }
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
        let Some(cause) = finding.cause.as_deref() else { return own(finding) };
        let object = (cause.rule.id, cause.object.as_str());
        self.objects.get(&object).copied().unwrap_or(Key::Rule(cause.rule.id))
    }
}

/// What is behind a finding that follows from no other.
fn own(finding: &Finding) -> Key<'_> {
    match finding.server_error.as_ref().and_then(|error| error.missing.as_ref()) {
        Some(Missing::Role { .. }) => Key::Roles,
        Some(Missing::Schema(_)) => Key::Schemas,
        None => Key::Rule(finding.rule.id),
    }
}
