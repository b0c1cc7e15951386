//! What the page's program is given, as JSON that may stand in a page.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq};
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

use crate::clean;
use crate::edit::Safety;
use crate::report::diff::diff;
use crate::report::{Class, Entry, Report, to_accept};
use crate::rule::Finding;
use crate::rules::rule;

/// Other places of one finding that are listed.
const RELATED: usize = 20;

/// What the page's program is given.
pub(super) struct Data<'r, 'a> {
    pub(super) report: &'r Report<'a>,
    pub(super) most: usize,
}

impl Serialize for Data<'_, '_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let groups = self.report.groups();
        let mut rules: BTreeMap<&str, RuleData> = BTreeMap::new();
        for group in &groups {
            if let Some(rule) = rule(group.rule) {
                let doc = &rule.doc;
                let data = RuleData {
                    name: rule.name,
                    summary: doc.summary,
                    why: doc.why,
                    help: doc.help,
                    docs: doc.link,
                };
                rules.insert(rule.id, data);
            }
        }
        let mut titles: BTreeMap<String, String> = BTreeMap::new();
        titles.extend(Class::ALL.iter().map(|class| (class.name().to_owned(), class.title().to_owned())));
        let files: Vec<&str> = self.report.inputs.iter().map(|input| input.name).collect();
        let chosen: Vec<&Finding> =
            groups.iter().flat_map(|group| group.findings.iter().copied()).take(self.most).collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("files", &files)?;
        map.serialize_entry("titles", &titles)?;
        map.serialize_entry("rules", &rules)?;
        map.serialize_entry("findings", &Findings { report: self.report, chosen: &chosen })?;
        map.end()
    }
}

#[derive(Serialize)]
struct RuleData {
    name: &'static str,
    summary: &'static str,
    why: &'static str,
    help: &'static str,
    docs: &'static str,
}

struct Findings<'r, 'a> {
    report: &'r Report<'a>,
    chosen: &'r [&'a Finding],
}

impl Serialize for Findings<'_, '_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.chosen.len()))?;
        for finding in self.chosen {
            list.serialize_element(&item(self.report, finding))?;
        }
        list.end()
    }
}

/// A finding, without what its rule says of all of them.
#[derive(Serialize)]
struct Item<'a> {
    rule: &'a str,
    class: &'static str,
    file: usize,
    line: u64,
    column: u64,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'a str>,
    /// The reason of the comment that allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<&'a str>,
    /// What the rule says itself, where the options say otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    own: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    solved: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    accepted: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    left: bool,
    /// One of the other places is the cause.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cause: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related: Vec<(usize, u64, u64, Option<&'a str>, &'a str)>,
    /// Other places that are not among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<usize>,
    /// Rules to accept where it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    accept: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<FixData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<Vec<(char, String)>>,
    /// The first line's number; the lines before the mark, in it, and behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    shown: Option<(u64, &'a str, &'a str, &'a str)>,
}

#[derive(Serialize)]
struct FixData<'a> {
    title: &'a str,
    safety: Safety,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<&'a str>,
}

fn item<'a>(report: &Report<'a>, finding: &'a Finding) -> Item<'a> {
    let entry: Entry<'a> = report.findings.entry(finding);
    let class = Class::of(finding);
    let file = |name: &str| report.inputs.iter().position(|input| input.name == name).unwrap_or_default();
    let shown = entry.excerpt;
    let own_help = rule(entry.rule).is_none_or(|rule| rule.doc.help != entry.help);
    Item {
        rule: entry.rule,
        class: class.name(),
        file: file(entry.file),
        line: entry.line,
        column: entry.column,
        message: entry.message,
        object: entry.object,
        allowed: entry.allowed,
        own: entry.own_severity.map(crate::Severity::name),
        server: entry.server_error.map(|error| {
            let mut answer = error.shown();
            for (word, more) in [("DETAIL", &error.detail), ("HINT", &error.hint)] {
                if let Some(more) = more {
                    let _ = write!(answer, "\n{word}: {more}");
                }
            }
            answer
        }),
        help: Some(entry.help).filter(|help| own_help && !help.is_empty()),
        solved: entry.solved,
        accepted: entry.accepted,
        left: entry.left,
        cause: entry.related.iter().any(|related| related.rule.is_some()),
        related: entry
            .related
            .iter()
            .take(RELATED)
            .map(|related| (file(related.file), related.line, related.column, related.rule, related.message))
            .collect(),
        more: entry.related.iter().count().checked_sub(RELATED).filter(|more| *more > 0),
        accept: (!entry.solved).then(|| to_accept(&entry).join(",")),
        fix: entry.fix.map(|fix| FixData {
            title: &fix.title,
            safety: fix.safety,
            lost: fix.lost.as_deref(),
        }),
        diff: diff(&entry).map(|lines| lines.into_iter().map(|(mark, line)| (mark.sign(), line)).collect()),
        shown: (|| {
            let before = shown.text.get(..shown.start)?;
            let marked = shown.text.get(shown.start..shown.end)?;
            let after = shown.text.get(shown.end..)?;
            (!shown.text.is_empty()).then_some((shown.line, before, marked, after))
        })(),
    }
}

/// JSON that stands in a page: no text in it can end the element or begin a comment.
pub(super) struct InPage;

impl Formatter for InPage {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        let is_special = |c: char| matches!(c, '<' | '>' | '&') || clean::steers(c);
        while let Some(at) = rest.find(is_special) {
            let (before, from) = rest.split_at(at);
            let mut chars = from.chars();
            out.write_all(before.as_bytes())?;
            match chars.next() {
                Some(c) if clean::steers(c) => shown(out, c)?,
                Some(c) => write!(out, "\\u{:04x}", u32::from(c))?,
                None => {}
            }
            rest = chars.as_str();
        }
        out.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, out: &mut W, escape: CharEscape) -> io::Result<()> {
        match escape {
            CharEscape::Backspace => shown(out, '\u{8}'),
            CharEscape::FormFeed => shown(out, '\u{c}'),
            CharEscape::CarriageReturn => shown(out, '\r'),
            CharEscape::AsciiControl(byte) => shown(out, char::from(byte)),
            escape => CompactFormatter.write_char_escape(out, escape),
        }
    }
}

/// A character that steers, as the page shows it; what is copied from there may be pasted into a terminal.
fn shown<W: ?Sized + Write>(out: &mut W, c: char) -> io::Result<()> {
    let mut text = String::new();
    clean::push(&mut text, c);
    out.write_all(text.replace('\\', "\\\\").as_bytes())
}
