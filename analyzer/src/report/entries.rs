//! Findings with all that there is to say about each.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use super::behind::{Key, Numbers};
use super::class::Class;
use crate::analysis::Analysis;
use crate::edit::Fix;
use crate::finding::{Excerpt, Place, Related, ServerError, Severity};
use crate::options::{Leave, Options};
use crate::rewrite::root_is_accepted;
use crate::rule::{Cause, Finding};
use crate::text::Span;

/// Another place of a finding, such as its cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RelatedEntry<'a> {
    /// The input's name.
    pub file: &'a str,
    /// Its line, from 1.
    pub line: u64,
    /// Its column, from 1, in characters.
    pub column: u64,
    /// Its bytes.
    pub span: Span,
    /// The rule that found the cause there.
    pub rule: Option<&'a str>,
    /// What is there.
    pub message: &'a str,
}

/// A finding with all that there is to say about it.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Entry<'a> {
    /// The rule's id.
    pub rule: &'static str,
    /// The rule's name.
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// How bad the rule itself says it is, where the options say otherwise.
    pub own_severity: Option<Severity>,
    /// The reason that a comment in the dump gives for allowing it; it does not count then.
    pub allowed: Option<&'a str>,
    /// The object that it is about.
    pub object: Option<&'a str>,
    /// The input's name.
    pub file: &'a str,
    /// The statement's number in it, from 1; 0 where it is no statement.
    pub statement: u64,
    /// The bytes.
    pub span: Span,
    /// The line of the first byte, from 1; 0 where the input is a live server, which has no lines.
    pub line: u64,
    /// Its column, from 1, in characters.
    pub column: u64,
    /// What will happen.
    pub message: &'a str,
    /// What the server answers.
    #[cfg_attr(test, schemars(with = "Option<crate::finding::Answer>"))]
    pub server_error: Option<&'a ServerError>,
    /// Why the target refuses it, or what is lost.
    pub why: &'static str,
    /// What to do.
    pub help: &'a str,
    /// A page to read on.
    pub docs: &'static str,
    /// Other places: the cause, what depends on it.
    #[serde(serialize_with = "related")]
    #[cfg_attr(test, schemars(with = "Vec<RelatedEntry<'_>>"))]
    pub related: RelatedEntries<'a>,
    /// True where the rewrite fixes it.
    pub solved: bool,
    /// True where its loss was accepted: that of its rule, or of its cause.
    pub accepted: bool,
    /// True where it was asked to leave it as it is.
    pub left: bool,
    /// True where accepting it keeps the statement, with the risk that it fails: nothing is left out.
    pub risk: bool,
    /// The number of the decision that it waits for, where it is an open error.
    pub decision: Option<u32>,
    /// The change that fixes it.
    pub fix: Option<&'a Fix>,
    /// The lines of the dump, secrets masked.
    pub excerpt: &'a Excerpt,
}

impl Entry<'_> {
    /// Where it is: `schema.sql:12:5`, or the name alone of what has no lines, such as a live server.
    #[must_use]
    pub fn place(&self) -> String {
        match self.line {
            0 => self.file.to_owned(),
            line => format!("{}:{line}:{}", self.file, self.column),
        }
    }
}

/// The other places of a finding.
#[derive(Clone, Copy, Debug)]
pub struct RelatedEntries<'a> {
    analysis: &'a Analysis,
    cause: Option<&'a Cause>,
    related: &'a [Related],
}

impl<'a> RelatedEntries<'a> {
    /// Each place.
    pub fn iter(self) -> impl Iterator<Item = RelatedEntry<'a>> {
        let cause = self.cause.map(|cause| (Some(cause.rule.id), cause.object.as_str(), cause.place));
        let others = self.related.iter().map(|related| (None, related.message.as_str(), related.place));
        cause.into_iter().chain(others).map(move |(rule, message, place)| {
            let Place { input, span, line, column, .. } = place;
            RelatedEntry {
                file: name_of(self.analysis, input),
                line,
                column: column.into(),
                span,
                rule,
                message,
            }
        })
    }
}

pub(super) fn related<S: Serializer>(entries: &RelatedEntries<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(entries.iter())
}

fn name_of(analysis: &Analysis, input: usize) -> &str {
    analysis.inputs.get(input).map_or("", |input| &input.name)
}

/// Rules that have to be accepted for this finding's statement to be left out: its causes, or itself.
#[must_use]
pub fn to_accept<'a>(entry: &Entry<'a>) -> Vec<&'a str> {
    let mut rules: Vec<&str> = entry.related.iter().filter_map(|related| related.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    if rules.is_empty() { vec![entry.rule] } else { rules }
}

/// All findings in the order of the inputs and of their bytes.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    analysis: &'a Analysis,
    options: &'a Options,
    order: Vec<u32>,
    numbers: Arc<Numbers<'a>>,
}

impl<'a> Entries<'a> {
    /// Those of an analysis.
    pub(super) fn new(analysis: &'a Analysis, options: &'a Options) -> Self {
        let mut order: Vec<u32> = (0..=u32::MAX).take(analysis.findings.len()).collect();
        order.sort_by_key(|&index| {
            analysis.findings.get(index as usize).map(|f| (f.place.input, f.place.span, f.rule))
        });
        let mut entries = Self { analysis, options, order, numbers: Arc::default() };
        entries.numbers = Numbers::new(entries.findings());
        entries
    }

    /// Keeps so many findings at most: of each rule the first ones, and then the worst.
    pub(super) fn keep(&mut self, most: usize) {
        if self.order.len() <= most {
            return;
        }
        let mut rules: BTreeMap<(u8, &str), usize> = BTreeMap::new();
        let ranked: Vec<(u8, usize)> = self
            .findings()
            .map(|finding| {
                let class = Class::of(finding) as u8;
                let number = rules.entry((class, finding.rule.id)).or_default();
                *number += 1;
                (class, *number)
            })
            .collect();
        let share = most / 2 / rules.len().max(1);
        let mut kept: Vec<(u8, usize)> = ranked
            .iter()
            .enumerate()
            .map(|(at, &(class, number))| (if number <= share { 0 } else { 1 + class }, at))
            .collect();
        kept.sort_unstable();
        kept.truncate(most);
        kept.sort_unstable_by_key(|&(_, at)| at);
        self.order = kept.iter().filter_map(|&(_, at)| self.order.get(at).copied()).collect();
    }

    /// Places that were to be left, without a finding of their rule.
    pub(super) fn left_nowhere(&self) -> impl Iterator<Item = String> {
        let is_at = |leave: &&Leave, finding: &Finding| {
            let file = name_of(self.analysis, finding.place.input);
            finding.rule.id == leave.rule
                && leave.line == Some(finding.place.line)
                && leave.file.as_deref().is_none_or(|named| named == file)
        };
        let places = self.options.leave.iter().filter(|leave| leave.line.is_some());
        places
            .filter(move |leave| !self.analysis.findings.iter().any(|finding| is_at(leave, finding)))
            .map(ToString::to_string)
    }

    /// Each finding, as it was found.
    pub fn findings(&self) -> impl Iterator<Item = &'a Finding> + Clone {
        self.order.iter().filter_map(|&index| self.analysis.findings.get(index as usize))
    }

    /// Each finding with all that there is to say about it.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'a>> {
        self.findings().map(|finding| self.entry(finding))
    }

    /// A finding with all that there is to say about it.
    #[must_use]
    pub fn entry(&self, finding: &'a Finding) -> Entry<'a> {
        entry(self.analysis, self.options, finding, self.decision(finding))
    }

    /// The number of the decision that a finding waits for.
    #[must_use]
    pub fn decision(&self, finding: &'a Finding) -> Option<u32> {
        self.numbers.of(finding)
    }

    /// What is behind a finding.
    pub(super) fn key(&self, finding: &'a Finding) -> Key<'a> {
        self.numbers.key(finding)
    }
}

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.order.len()))?;
        for entry in self.iter() {
            list.serialize_element(&entry)?;
        }
        list.end()
    }
}

fn entry<'a>(
    analysis: &'a Analysis,
    options: &Options,
    finding: &'a Finding,
    decision: Option<u32>,
) -> Entry<'a> {
    let rule = finding.rule;
    let Place { input, statement, span, line, column } = finding.place;
    Entry {
        rule: finding.rule.id,
        name: finding.rule.name,
        severity: finding.severity,
        own_severity: finding.own_severity,
        allowed: finding.allowed.as_deref(),
        object: finding.object.as_deref(),
        file: name_of(analysis, input),
        statement: statement.into(),
        span,
        line,
        column: column.into(),
        message: &finding.message,
        server_error: finding.server_error.as_ref(),
        why: rule.doc.why,
        help: finding.advice.as_deref().unwrap_or(rule.doc.help),
        docs: rule.doc.link,
        related: RelatedEntries { analysis, cause: finding.cause.as_deref(), related: &finding.related },
        solved: finding.solved,
        accepted: finding.rule.is_accepted(options) || root_is_accepted(finding, options),
        left: options.leaves(finding.rule.id, name_of(analysis, input), line),
        risk: rule.is_a_risk,
        decision,
        fix: finding.fix.as_deref(),
        excerpt: &finding.excerpt,
    }
}
