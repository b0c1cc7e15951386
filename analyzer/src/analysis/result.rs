//! What goes into an analysis and what comes out of it.

use super::census::DatabaseCensus;
use crate::facts::Facts;
use crate::finding::Script;
use crate::order::HEAD;
use crate::rewrite::{self, Planned, Rewriter, Style};
use crate::rule::{Finding, NotJudged};
use crate::text::Span;

/// A text with its name.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// What to call it in reports: a file's path as the person gave it.
    pub name: &'a str,
    /// Its bytes.
    pub text: &'a [u8],
}

impl Input<'_> {
    /// The bytes that tell what it begins with.
    pub(super) fn head(&self) -> &[u8] {
        self.text.get(..HEAD).unwrap_or(self.text)
    }
}

/// What is known of one input after the pass.
#[derive(Clone, Debug, Default)]
pub struct InputSummary {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// How many statements it holds.
    pub statements: u64,
    /// Changes, in the order of its bytes.
    pub planned: Vec<Planned>,
}

/// The result of a pass.
#[derive(Debug, Default)]
pub struct Analysis {
    /// All findings, in the order of the inputs and of their bytes.
    pub findings: Vec<Finding>,
    /// What the inputs declare.
    pub facts: Facts,
    /// The inputs.
    pub inputs: Vec<InputSummary>,
    /// Scripts that rules wrote for a person to run.
    pub scripts: Vec<Script>,
    /// What was not judged, each kind once.
    pub not_judged: Vec<NotJudged>,
    /// The databases that the inputs connect to and that create objects, in their order.
    pub databases: Vec<DatabaseCensus>,
    /// Sections of other databases, left out.
    pub(super) left_out: Vec<LeftOutSection>,
}

impl Analysis {
    /// Errors that the rewrite does not fix.
    pub fn unsolved(&self) -> impl Iterator<Item = &Finding> {
        rewrite::unsolved(&self.findings)
    }

    /// Numbers the inputs as they were given, where they were taken in this order.
    pub(super) fn put_in_order(&mut self, order: &[usize]) {
        if order.is_sorted() {
            return;
        }
        let given = |taken: usize| order.get(taken).copied().unwrap_or(taken);
        self.inputs = sorted(std::mem::take(&mut self.inputs), order);
        self.facts.headers = sorted(std::mem::take(&mut self.facts.headers), order);
        for finding in &mut self.findings {
            let related = finding.related.iter_mut().map(|related| &mut related.place);
            let cause = finding.cause.iter_mut().map(|cause| &mut cause.place);
            for place in related.chain(cause).chain([&mut finding.place]) {
                place.input = given(place.input);
            }
        }
        self.findings.sort_by_key(|finding| finding.place.input);
        for place in self.not_judged.iter_mut().map(|entry| &mut entry.place) {
            place.input = given(place.input);
        }
        for section in &mut self.left_out {
            section.input = given(section.input);
        }
    }

    /// A rewriter for one input, to be fed with the same bytes again.
    #[must_use]
    pub fn rewriter(&self, input: usize, style: Style) -> Rewriter<'_> {
        Rewriter::new(self.inputs.get(input).map_or(&[], |input| &input.planned), style)
    }

    /// One input's text, rewritten.
    #[must_use]
    pub fn rewritten(&self, input: usize, text: &[u8]) -> Vec<u8> {
        let mut rewriter = self.rewriter(input, Style::Comment);
        let mut out = Vec::with_capacity(text.len());
        rewriter.feed(text, &mut out);
        rewriter.finish(&mut out);
        out
    }
}

/// Each at the place of its number.
fn sorted<T>(all: Vec<T>, numbers: &[usize]) -> Vec<T> {
    let mut all: Vec<(usize, T)> = numbers.iter().copied().zip(all).collect();
    all.sort_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, one)| one).collect()
}

/// The section of a database that is left out of the rewritten dump.
#[derive(Debug)]
pub(super) struct LeftOutSection {
    /// Its input, from 0.
    pub(super) input: usize,
    /// Its bytes.
    pub(super) span: Span,
    /// The database's name.
    pub(super) database: String,
}
