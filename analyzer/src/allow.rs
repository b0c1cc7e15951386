//! Allowances: comments of a dump in which a person says that what a rule finds there is fine.
//!
//! `-- tsmigrate: allow RULE reason` stands before a statement, inside of it, or behind it on its last line;
//! `-- tsmigrate: allow-file RULE reason` holds from its place to the end of its input. RULE is an id, a name or a
//! family (`HT-*`); several are separated by commas. A text in quotes, such as a function's body, is no comment.
//!
//! What is allowed stays in the report and does not count. Its statement is left as it is and is taken to work: what
//! it makes is there for whatever needs it. To take a statement out, a loss is accepted: see [`crate::Options`].

use crate::finding::{Finding, Place};
use crate::rules;

/// What every allowance begins with.
const MARK: &str = "tsmigrate:";

/// How far an allowance reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// One statement.
    Statement,
    /// What follows of the input.
    Input,
}

/// A comment that speaks to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Comment<'a> {
    /// It allows something.
    Allow {
        /// How far.
        reach: Reach,
        /// Rules or families, as they are written.
        rules: Vec<&'a str>,
        /// Why; may be empty.
        reason: &'a str,
    },
    /// It cannot be understood.
    Unclear,
}

/// Reads a comment, its marks included. `None` where it is not addressed to us.
pub(crate) fn read(comment: &str) -> Option<Comment<'_>> {
    let text = match comment.strip_prefix("/*") {
        Some(text) => text.strip_suffix("*/").unwrap_or(text),
        None => comment.strip_prefix("--")?,
    };
    let text = text.trim().strip_prefix(MARK)?.trim_start();
    let (verb, rest) = word(text);
    let reach = match verb {
        "allow" => Reach::Statement,
        "allow-file" => Reach::Input,
        _ => return Some(Comment::Unclear),
    };
    let (list, reason) = word(rest);
    let rules: Vec<&str> = list.trim_end_matches(':').split(',').filter(|rule| !rule.is_empty()).collect();
    if rules.is_empty() {
        return Some(Comment::Unclear);
    }
    Some(Comment::Allow {
        reach,
        rules,
        reason: reason.trim_start_matches(['-', ':', '–', '—', ' ']).trim_end(),
    })
}

/// The first word and what follows it.
fn word(text: &str) -> (&str, &str) {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word, rest.trim_start())
}

/// True where a text may hold a comment for us: worth a closer look.
pub(crate) fn is_mentioned(text: &[u8]) -> bool {
    memchr::memmem::find(text, MARK.as_bytes()).is_some()
}

/// An allowance of one rule or family.
#[derive(Clone, Debug)]
struct Given {
    reach: Reach,
    rules: Vec<&'static str>,
    pattern: Box<str>,
    reason: Box<str>,
    /// The comment.
    place: Place,
    comment: Box<str>,
    /// The number of the statement that it is for.
    statement: Option<u64>,
    used: bool,
}

impl Given {
    fn covers(&self, finding: &Finding) -> bool {
        self.rules.contains(&finding.rule)
    }
}

/// An allowance that allows nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unused<'a> {
    /// The rule or family, as it is written.
    pub(crate) pattern: &'a str,
    /// It is for an input, not for a statement.
    pub(crate) reach: Reach,
    /// A statement follows it.
    pub(crate) has_statement: bool,
    /// The comment.
    pub(crate) place: Place,
    /// Its text.
    pub(crate) comment: &'a str,
}

/// The allowances of all inputs.
#[derive(Debug, Default)]
pub(crate) struct Allowances {
    given: Vec<Given>,
    /// Those that wait for the next statement.
    waiting: Vec<usize>,
    /// Those for the piece that rules look at.
    here: Vec<usize>,
    /// Those for the current input.
    of_input: Vec<usize>,
}

impl Allowances {
    /// The next input begins.
    pub(crate) fn begin_input(&mut self) {
        self.waiting.clear();
        self.here.clear();
        self.of_input.clear();
    }

    /// Takes an allowance that stands before a statement, or for that which is at hand.
    pub(crate) fn add(&mut self, given: &Comment<'_>, place: Place, comment: &str, at_hand: bool) {
        let Comment::Allow { reach, rules, reason } = given else { return };
        for pattern in rules {
            let found = rules::matching(pattern);
            if found.is_empty() {
                continue;
            }
            let index = self.given.len();
            self.given.push(Given {
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
    pub(crate) fn arrive(&mut self, statement: u64) {
        self.here.clear();
        for index in self.waiting.drain(..) {
            if let Some(given) = self.given.get_mut(index) {
                given.statement = Some(statement);
            }
            self.here.push(index);
        }
    }

    /// The piece has gone by.
    pub(crate) fn leave(&mut self) {
        self.here.clear();
    }

    /// Marks what is allowed of the piece at hand. Its fix goes: the statement is left as it is.
    pub(crate) fn mark(&mut self, findings: &mut [Finding]) {
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
    pub(crate) fn mark_late(&mut self, findings: &mut [Finding]) {
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
    pub(crate) fn unused(&self) -> impl Iterator<Item = Unused<'_>> {
        self.given.iter().filter(|given| !given.used).map(|given| Unused {
            pattern: &given.pattern,
            reach: given.reach,
            has_statement: given.statement.is_some(),
            place: given.place,
            comment: &given.comment,
        })
    }

    /// How many there are, for [`Allowances::forget`].
    pub(crate) fn count(&self) -> usize {
        self.given.len()
    }

    /// Forgets all but the first so many: they belong to a part that is left out.
    pub(crate) fn forget(&mut self, count: usize) {
        self.given.truncate(count);
        for list in [&mut self.waiting, &mut self.here, &mut self.of_input] {
            list.retain(|index| *index < count);
        }
    }
}

fn allow(finding: &mut Finding, given: &Given) {
    finding.allowed = Some(given.reason.clone());
    finding.fix = None;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(comment: &str) -> Option<(Reach, Vec<&str>, &str)> {
        match read(comment) {
            Some(Comment::Allow { reach, rules, reason }) => Some((reach, rules, reason)),
            _ => None,
        }
    }

    #[test]
    fn a_comment_is_read_in_both_forms() {
        let one = Some((Reach::Statement, vec!["EXT-01"], "on request"));
        assert_eq!(rules("-- tsmigrate: allow EXT-01 on request"), one);
        assert_eq!(
            rules("--tsmigrate:allow EXT-01: on request"),
            rules("/* tsmigrate: allow EXT-01: on request */")
        );
        assert_eq!(rules("-- tsmigrate: allow EXT-01 -- on request\r"), one);
        assert_eq!(rules("/* tsmigrate: allow\n  EXT-01\n  on request\n*/"), one);
        assert_eq!(
            rules("-- tsmigrate: allow-file HT-*,own-03"),
            Some((Reach::Input, vec!["HT-*", "own-03"], ""))
        );
    }

    #[test]
    fn only_what_is_addressed_to_us_is_read() {
        assert_eq!(read("-- Name: tsmigrate: allow EXT-01; Type: TABLE"), None);
        assert_eq!(read("-- tsmigrate EXT-01: the target does not take hll"), None);
        assert_eq!(read("-- tsmigrate: alow EXT-01"), Some(Comment::Unclear));
        assert_eq!(read("-- tsmigrate: allow"), Some(Comment::Unclear));
    }
}
