//! Allowances: which finding each of them covers.

use arcstr::ArcStr;

use crate::allow::{Comment, Reach, Unused};
use crate::finding::Place;
use crate::rule::Finding;
use crate::rules;

/// An allowance of one rule or family.
#[derive(Clone, Debug)]
struct Allowance {
    reach: Reach,
    rules: Vec<&'static str>,
    pattern: Box<str>,
    reason: ArcStr,
    /// The comment.
    place: Place,
    comment: Box<str>,
    /// The number of the statement that it is for.
    statement: Option<u32>,
    used: bool,
}

impl Allowance {
    fn covers(&self, finding: &Finding) -> bool {
        self.rules.contains(&finding.rule.id)
    }
}

/// The allowances of all inputs.
#[derive(Debug, Default)]
pub(super) struct Allowances {
    given: Vec<Allowance>,
    /// Those that wait for the next statement.
    waiting: Vec<usize>,
    /// Those for the piece that rules look at.
    here: Vec<usize>,
    /// Those for the current input.
    of_input: Vec<usize>,
}

impl Allowances {
    /// The next input begins.
    pub(super) fn begin_input(&mut self) {
        self.waiting.clear();
        self.here.clear();
        self.of_input.clear();
    }

    /// Takes an allowance that stands before a statement, or for that which is at hand.
    pub(super) fn add(&mut self, given: &Comment<'_>, place: Place, comment: &str, at_hand: bool) {
        let Comment::Allow { reach, rules, reason } = given else { return };
        for pattern in rules {
            let found = rules::matching(pattern);
            if found.is_empty() {
                continue;
            }
            let index = self.given.len();
            self.given.push(Allowance {
                reach: *reach,
                rules: found.iter().map(|rule| rule.id).collect(),
                pattern: (*pattern).into(),
                reason: (*reason).into(),
                place,
                comment: comment.into(),
                statement: (at_hand && *reach == Reach::Statement).then_some(place.statement),
                used: false,
            });
            match reach {
                Reach::Input => self.of_input.push(index),
                Reach::Statement if at_hand => self.here.push(index),
                Reach::Statement => self.waiting.push(index),
            }
        }
    }

    /// A piece comes that those waiting are for: a statement with its number, or 0.
    pub(super) fn arrive(&mut self, statement: u64) {
        self.here.clear();
        for index in self.waiting.drain(..) {
            if let Some(given) = self.given.get_mut(index) {
                given.statement = Some(Place::number(statement));
            }
            self.here.push(index);
        }
    }

    /// The piece has gone by.
    pub(super) fn leave(&mut self) {
        self.here.clear();
    }

    /// Marks what is allowed of the piece at hand. Its fix goes: the statement is left as it is.
    pub(super) fn mark(&mut self, findings: &mut [Finding]) {
        if self.given.is_empty() {
            return;
        }
        for finding in findings {
            let index = self.here.iter().chain(&self.of_input).copied();
            let mut index = index.filter(|&index| self.given.get(index).is_some_and(|g| g.covers(finding)));
            let Some(given) = index.next().and_then(|index| self.given.get_mut(index)) else { continue };
            given.used = true;
            allow(finding, given);
        }
    }

    /// Marks what was found after its statement had gone by.
    pub(super) fn mark_late(&mut self, findings: &mut [Finding]) {
        if self.given.is_empty() {
            return;
        }
        for finding in findings.iter_mut().filter(|finding| finding.allowed.is_none() && !finding.solved) {
            let at = finding.place;
            let given = self.given.iter_mut().find(|given| {
                let reaches = match given.reach {
                    Reach::Statement => at.statement > 0 && given.statement == Some(at.statement),
                    Reach::Input => given.place.span.start <= at.span.start,
                };
                reaches && given.place.input == at.input && given.covers(finding)
            });
            if let Some(given) = given {
                given.used = true;
                allow(finding, given);
            }
        }
    }

    /// Those that allowed nothing.
    pub(super) fn unused(&self) -> impl Iterator<Item = Unused<'_>> {
        self.given.iter().filter(|given| !given.used).map(|given| Unused {
            pattern: &given.pattern,
            reach: given.reach,
            has_statement: given.statement.is_some(),
            place: given.place,
            comment: &given.comment,
        })
    }

    /// How many there are, for [`Allowances::forget`].
    pub(super) fn count(&self) -> usize {
        self.given.len()
    }

    /// Forgets all but the first so many: they belong to a part that is left out.
    pub(super) fn forget(&mut self, count: usize) {
        self.given.truncate(count);
        for list in [&mut self.waiting, &mut self.here, &mut self.of_input] {
            list.retain(|index| *index < count);
        }
    }
}

fn allow(finding: &mut Finding, given: &Allowance) {
    finding.allowed = Some(given.reason.clone());
    finding.fix = None;
}
