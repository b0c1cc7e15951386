//! What the result view is given, as JSON that may stand in a page.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq};
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

use super::entries::{Entry, RelatedEntries};
use super::whole::Report;
use crate::clean;
use crate::edit::Fix;
use crate::finding::{Excerpt, ServerError, Severity};
use crate::rule::{Finding, Rule};
use crate::rules::rule;
use crate::text::Span;

/// What the view is given: the report, with what a rule says of all its findings said once.
pub(super) struct Data<'r, 'a> {
    pub(super) report: &'r Report<'a>,
    pub(super) most: usize,
}

impl Serialize for Data<'_, '_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let groups = self.report.groups();
        let rules: BTreeMap<&str, RuleWords> =
            groups.iter().filter_map(|group| Some((group.rule, RuleWords::of(rule(group.rule)?)))).collect();
        let chosen: Vec<&Finding> =
            groups.iter().flat_map(|group| group.findings.iter().copied()).take(self.most).collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("counts", &self.report.counts)?;
        map.serialize_entry("decisions", &self.report.decisions)?;
        map.serialize_entry("lost", &self.report.lost)?;
        map.serialize_entry("rules", &rules)?;
        map.serialize_entry("findings", &Findings { report: self.report, chosen: &chosen })?;
        map.end()
    }
}

struct Findings<'r, 'a> {
    report: &'r Report<'a>,
    chosen: &'r [&'a Finding],
}

impl Serialize for Findings<'_, '_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.chosen.len()))?;
        for finding in self.chosen {
            list.serialize_element(&Item::of(&self.report.findings.entry(finding)))?;
        }
        list.end()
    }
}

/// What a rule says of all its findings, for the view.
#[derive(Clone, Debug, Serialize)]
pub struct RuleWords {
    name: &'static str,
    summary: &'static str,
    why: &'static str,
    help: &'static str,
    docs: &'static str,
    /// The rule's own page, where it is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<String>,
}

impl RuleWords {
    /// Those of a rule.
    #[must_use]
    pub fn of(rule: &Rule) -> Self {
        let doc = &rule.doc;
        let (name, summary, why, help, docs) = (rule.name, doc.summary, doc.why, doc.help, doc.link);
        Self { name, summary, why, help, docs, page: rule.page() }
    }
}

/// A finding, without what its rule says of all of them, and without what is nothing.
#[derive(Serialize)]
pub(super) struct Item<'a> {
    rule: &'a str,
    severity: Severity,
    #[serde(skip_serializing_if = "Option::is_none")]
    own_severity: Option<Severity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'a str>,
    file: &'a str,
    span: Span,
    line: u64,
    column: u64,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_error: Option<&'a ServerError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    #[serde(serialize_with = "super::entries::related")]
    related: RelatedEntries<'a>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    solved: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    accepted: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    left: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    risk: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<&'a Fix>,
    excerpt: &'a Excerpt,
}

impl<'a> Item<'a> {
    pub(super) fn of(entry: &Entry<'a>) -> Self {
        let is_rules = rule(entry.rule).is_some_and(|rule| rule.doc.help == entry.help);
        Self {
            rule: entry.rule,
            severity: entry.severity,
            own_severity: entry.own_severity,
            allowed: entry.allowed,
            object: entry.object,
            file: entry.file,
            span: entry.span,
            line: entry.line,
            column: entry.column,
            message: entry.message,
            server_error: entry.server_error,
            help: Some(entry.help).filter(|_| !is_rules),
            related: entry.related,
            solved: entry.solved,
            accepted: entry.accepted,
            left: entry.left,
            risk: entry.risk,
            decision: entry.decision,
            fix: entry.fix,
            excerpt: entry.excerpt,
        }
    }
}

/// JSON that stands in a page: no text in it can end the element, begin a comment, or steer how the page's source is
/// shown. The view shows what would steer how text is shown.
pub struct InPage;

impl Formatter for InPage {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(|c: char| matches!(c, '<' | '>' | '&') || clean::steers(c)) {
            let (before, from) = rest.split_at(at);
            let mut chars = from.chars();
            out.write_all(before.as_bytes())?;
            for unit in chars.next().into_iter().flat_map(|c| c.encode_utf16(&mut [0; 2]).to_vec()) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = chars.as_str();
        }
        out.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, out: &mut W, escape: CharEscape) -> io::Result<()> {
        CompactFormatter.write_char_escape(out, escape)
    }
}
