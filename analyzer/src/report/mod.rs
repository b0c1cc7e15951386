//! The one serialisable form of an analysis, and the formats it is written in: for the command line, for programs
//! and for pages.
//!
//! A report borrows the analysis and is written as a stream: it takes a few bytes for each finding.

mod around;
mod diff;
mod format;
mod github;
mod html;
mod json;
mod markdown;
pub mod page;
mod sarif;
mod words;

use std::collections::{BTreeMap, HashSet};

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

pub use around::{Around, Block, Section, Step};
pub use format::Format;
pub use json::SCHEMA;

pub use crate::human::{count, plural, thousands};

use crate::analysis::Analysis;
use crate::edit::Fix;
use crate::finding::{Excerpt, Place, Related, Script, ServerError, Severity};
use crate::options::{Level, Options};
use crate::rewrite::root_is_accepted;
use crate::rule::Finding;
use crate::rules;
use crate::target::Target;
use crate::text::Span;

/// The version of the report's form: it grows when a field goes or changes its meaning.
pub const VERSION: u32 = 1;

/// The answer to "can this be restored?".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No statement fails.
    Ready,
    /// Every statement that fails is solved by the rewrite.
    ReadyAfterRewrite,
    /// Some statement fails that the rewrite does not solve.
    NeedsWork,
}

/// How many findings there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Counts {
    /// Statements that fail.
    pub error: u64,
    /// What behaves differently or is lost.
    pub warning: u64,
    /// Advice.
    pub note: u64,
    /// Errors that the rewrite solves.
    pub solved: u64,
    /// Errors that it does not solve.
    pub unsolved: u64,
    /// Findings that comments in the dump allow: they are in no other number.
    pub allowed: u64,
    /// Statements that fail, and that the options count as less than errors.
    pub lowered: u64,
}

/// What was analysed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Tool {
    /// `tsmigrate`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// What was analysed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TargetSummary<'a> {
    /// The destination's name.
    pub name: &'a str,
    /// Its major version of PostgreSQL.
    pub version: u32,
    /// The list of extensions that counted.
    pub extension_list: Option<ListSummary<'a>>,
    /// Extensions that it takes besides.
    pub added_extensions: &'a std::collections::BTreeSet<String>,
    /// Extensions that it does not take whatever the list says.
    pub refused_extensions: &'a std::collections::BTreeSet<String>,
}

/// A list of extensions, without its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ListSummary<'a> {
    /// Its name.
    pub name: &'a str,
    /// The day it was last seen.
    pub date: &'a str,
    /// Where it was published.
    pub source: &'a str,
}

/// One input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct InputReport<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its length in bytes.
    pub bytes: u64,
    /// How many statements it holds.
    pub statements: u64,
    /// The version of the server that was dumped.
    pub server_version: Option<&'a str>,
    /// The version of pg_dump or pg_dumpall that wrote it.
    pub dump_version: Option<&'a str>,
}

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
    /// True where the rewrite solves it.
    pub solved: bool,
    /// True where its loss was accepted: that of its rule, or of its cause.
    pub accepted: bool,
    /// True where it was asked to leave it as it is.
    pub left: bool,
    /// The change that solves it.
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
    related: &'a [Related],
}

impl<'a> RelatedEntries<'a> {
    /// Each place.
    pub fn iter(self) -> impl Iterator<Item = RelatedEntry<'a>> {
        self.related.iter().map(move |related| {
            let (rule, message) = split_cause(&related.message);
            let Place { input, span, line, column, .. } = related.place;
            RelatedEntry { file: name_of(self.analysis, input), line, column, span, rule, message }
        })
    }
}

fn related<S: Serializer>(entries: &RelatedEntries<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(entries.iter())
}

/// `[EXT-01] extension hll` names the rule that found the cause.
fn split_cause(message: &str) -> (Option<&str>, &str) {
    match message.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((rule, rest)) if rules::rule(rule).is_some() => (Some(rule), rest.trim_start()),
        _ => (None, message),
    }
}

fn name_of(analysis: &Analysis, input: usize) -> &str {
    analysis.inputs.get(input).map_or("", |input| &input.name)
}

/// All findings in the order of the inputs and of their bytes.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    analysis: &'a Analysis,
    options: &'a Options,
    order: Vec<u32>,
}

impl<'a> Entries<'a> {
    fn new(analysis: &'a Analysis, options: &'a Options) -> Self {
        let mut order: Vec<u32> = (0..=u32::MAX).take(analysis.findings.len()).collect();
        order.sort_by_key(|&index| {
            analysis.findings.get(index as usize).map(|f| (f.place.input, f.place.span, f.rule))
        });
        Self { analysis, options, order }
    }

    /// Keeps so many findings at most: of each rule the first ones, and then the worst.
    fn keep(&mut self, most: usize) {
        if self.order.len() <= most {
            return;
        }
        let mut rules: BTreeMap<(u8, &str), usize> = BTreeMap::new();
        let ranked: Vec<(u8, usize)> = self
            .findings()
            .map(|finding| {
                let class = class(finding);
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
        entry(self.analysis, self.options, finding)
    }
}

/// What a finding asks of the reader, the worst first: open, solved, a warning, a note, allowed.
const fn class(finding: &Finding) -> u8 {
    match finding {
        Finding { allowed: Some(_), .. } => 4,
        Finding { severity: Severity::Note, .. } => 3,
        Finding { severity: Severity::Warning, .. } => 2,
        Finding { solved: true, .. } => 1,
        Finding { .. } => 0,
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

fn entry<'a>(analysis: &'a Analysis, options: &Options, finding: &'a Finding) -> Entry<'a> {
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
        statement,
        span,
        line,
        column,
        message: &finding.message,
        server_error: finding.server_error.as_ref(),
        why: rule.doc.why,
        help: finding.advice.as_deref().unwrap_or(rule.doc.help),
        docs: rule.doc.link,
        related: RelatedEntries { analysis, related: &finding.related },
        solved: finding.solved,
        accepted: finding.rule.is_accepted(options) || root_is_accepted(finding, options),
        left: options.leaves(finding.rule.id, name_of(analysis, input), line),
        fix: finding.fix.as_ref(),
        excerpt: &finding.excerpt,
    }
}

/// What a person asked for, as far as it changes what is found.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OptionsSummary<'a> {
    /// Rules whose losses are accepted.
    pub accept: &'a std::collections::BTreeSet<String>,
    /// Fixes that are not applied: `RULE`, `RULE@LINE` or `RULE@FILE:LINE`.
    pub leave: Vec<String>,
    /// The one database to keep.
    pub database: Option<&'a str>,
    /// What rules count as where it is not what they say themselves.
    pub levels: &'a std::collections::BTreeMap<&'static str, Level>,
    /// The configuration that some of it comes from.
    pub configuration: Option<&'a str>,
}

/// A report.
///
/// ```
/// use tsmigrate_analyzer::{Input, Options, Target, analyze, report::Report};
///
/// let (target, options) = (Target::default(), Options::default());
/// let dump = Input { name: "dump.sql", text: b"SET default_tablespace = ts1;" };
/// let analysis = analyze(&[dump], &target, &options)?;
/// let report = serde_json::to_value(Report::new(&analysis, &target, &options)).expect("plain data");
/// assert_eq!(report["verdict"], "ready-after-rewrite");
/// assert_eq!(report["findings"][0]["rule"], "TSP-03");
/// # Ok::<(), tsmigrate_analyzer::InputError>(())
/// ```
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report<'a> {
    /// The version of this form: it grows when a field goes or changes its meaning.
    #[cfg_attr(test, schemars(extend("const" = VERSION)))]
    pub version: u32,
    /// What wrote it.
    pub tool: Tool,
    /// The destination.
    pub target: TargetSummary<'a>,
    /// What was asked for.
    pub options: OptionsSummary<'a>,
    /// The inputs, in their order.
    pub inputs: Vec<InputReport<'a>>,
    /// The answer.
    pub verdict: Verdict,
    /// How many findings there are.
    pub counts: Counts,
    /// What the target will not have after the rewrite, in words, each once.
    pub lost: Vec<&'a str>,
    /// Every finding.
    #[cfg_attr(test, schemars(with = "Vec<Entry<'_>>"))]
    pub findings: Entries<'a>,
    /// Scripts for a person to run.
    pub scripts: &'a [Script],
}

impl<'a> Report<'a> {
    /// The report of an analysis for this target and with these options.
    #[must_use]
    pub fn new(analysis: &'a Analysis, target: &'a Target, options: &'a Options) -> Self {
        let findings = Entries::new(analysis, options);
        let counts = counted(&analysis.findings);
        let mut seen = HashSet::new();
        let lost = findings
            .findings()
            .filter(|finding| finding.solved)
            .filter_map(|finding| finding.fix.as_ref()?.lost.as_deref())
            .filter(|lost| seen.insert(*lost))
            .collect();
        Self {
            version: VERSION,
            tool: Tool { name: "tsmigrate", version: env!("CARGO_PKG_VERSION") },
            target: TargetSummary {
                name: &target.name,
                version: target.version,
                extension_list: target.extension_list().map(|list| ListSummary {
                    name: &list.name,
                    date: &list.date,
                    source: &list.source,
                }),
                added_extensions: &target.added_extensions,
                refused_extensions: &target.refused_extensions,
            },
            options: OptionsSummary {
                accept: &options.accept,
                leave: options.leave.iter().map(ToString::to_string).collect(),
                database: options.database.as_deref(),
                levels: &options.levels,
                configuration: options.configuration.as_deref(),
            },
            inputs: inputs(analysis),
            verdict: match counts {
                Counts { error: 0, .. } => Verdict::Ready,
                Counts { unsolved: 0, .. } => Verdict::ReadyAfterRewrite,
                _ => Verdict::NeedsWork,
            },
            counts,
            lost,
            findings,
            scripts: &analysis.scripts,
        }
    }
}

impl Report<'_> {
    /// Keeps so many findings at most, for who cannot hold all of them: of each rule the first ones, and then the worst.
    /// The counts and the losses stay whole.
    pub fn keep_findings(&mut self, most: usize) {
        self.findings.keep(most);
    }
}

fn inputs(analysis: &Analysis) -> Vec<InputReport<'_>> {
    let headers = analysis.facts.headers.iter().map(Some).chain(std::iter::repeat(None));
    analysis
        .inputs
        .iter()
        .zip(headers)
        .map(|(input, header)| InputReport {
            name: &input.name,
            bytes: input.bytes,
            statements: input.statements,
            server_version: header.and_then(|header| header.server_version.as_deref()),
            dump_version: header.and_then(|header| header.dump_version.as_deref()),
        })
        .collect()
}

fn counted(findings: &[Finding]) -> Counts {
    let mut counts = Counts::default();
    for finding in findings {
        if finding.allowed.is_some() {
            counts.allowed += 1;
            continue;
        }
        if finding.fails() && finding.severity < Severity::Error {
            counts.lowered += 1;
        }
        match finding.severity {
            Severity::Note => counts.note += 1,
            Severity::Warning => counts.warning += 1,
            Severity::Error => {
                counts.error += 1;
                *(if finding.solved { &mut counts.solved } else { &mut counts.unsolved }) += 1;
            }
        }
    }
    counts
}

/// What a finding asks of the reader; the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// An error that the rewrite does not solve.
    Open,
    /// An error that it solves.
    Solved,
    /// Something behaves differently or is lost.
    Warning,
    /// Advice.
    Note,
    /// A comment in the dump allows it: it does not count.
    Allowed,
}

impl Class {
    /// All of them, in their order.
    pub const ALL: [Self; 5] = [Self::Open, Self::Solved, Self::Warning, Self::Note, Self::Allowed];

    /// The class of a finding.
    #[must_use]
    pub const fn of(finding: &Finding) -> Self {
        match finding.severity {
            _ if finding.allowed.is_some() => Self::Allowed,
            Severity::Error if finding.solved => Self::Solved,
            Severity::Error => Self::Open,
            Severity::Warning => Self::Warning,
            Severity::Note => Self::Note,
        }
    }
}

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

/// Rules that have to be accepted for this finding's statement to be left out: its causes, or itself.
#[must_use]
pub fn to_accept<'a>(entry: &Entry<'a>) -> Vec<&'a str> {
    let mut rules: Vec<&str> = entry.related.iter().filter_map(|related| related.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    if rules.is_empty() { vec![entry.rule] } else { rules }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Input, analyze};

    fn report(text: &str, options: &Options) -> serde_json::Value {
        let target = Target::default();
        let inputs = [Input { name: "dump.sql", text: text.as_bytes() }];
        let analysis = analyze(&inputs, &target, options).unwrap();
        serde_json::to_value(Report::new(&analysis, &target, options)).unwrap()
    }

    #[test]
    fn the_verdict_is_the_worst_that_is_left() {
        for (text, verdict) in [
            ("SELECT 1;", "ready"),
            ("SET default_tablespace = a;", "ready-after-rewrite"),
            ("SET default_tablespace = a; CREATE EXTENSION hll; CREATE TABLE t (u hll);", "needs-work"),
        ] {
            assert_eq!(report(text, &Options::default())["verdict"], verdict, "{text}");
        }
    }

    #[test]
    fn of_too_many_findings_each_rule_keeps_some_and_the_worst_are_kept_first() {
        let solved = "SET default_tablespace = a;\n".repeat(30);
        let text =
            format!("{solved}{}CREATE UNLOGGED TABLE u (a int);\n", "CREATE LANGUAGE plperlu;\n".repeat(10));
        let (target, options) = (Target::default(), Options::default());
        let analysis =
            analyze(&[Input { name: "dump.sql", text: text.as_bytes() }], &target, &options).unwrap();
        let all = Report::new(&analysis, &target, &options);
        let mut few = all.clone();
        few.keep_findings(18);
        let kept: Vec<&Finding> = few.findings.findings().collect();
        assert_eq!(kept.len(), 18);
        assert_eq!(few.counts, all.counts);
        let rules = |report: &Report<'_>| {
            report.findings.findings().map(|finding| finding.rule.id).collect::<HashSet<_>>()
        };
        assert_eq!(rules(&few), rules(&all));
        let open =
            |report: &Report<'_>| report.findings.findings().filter(|finding| class(finding) == 0).count();
        assert_eq!(open(&few), open(&all));
        assert!(kept.windows(2).all(|pair| pair[0].place.span.start <= pair[1].place.span.start));
        few.keep_findings(0);
        assert_eq!(few.findings.findings().count(), 0);
    }

    #[test]
    fn what_is_lost_is_said_once_and_only_where_it_is_lost() {
        let text = "CREATE EXTENSION hll;\nCREATE TABLE t (u hll);\nCOPY t FROM stdin;\n\\.\n";
        assert_eq!(report(text, &Options::default())["lost"], serde_json::json!(["extension hll"]));
        let accepted = Options { accept: ["EXT-01".to_owned()].into(), ..Options::default() };
        let lost = report(text, &accepted)["lost"].clone();
        let lost: Vec<&str> = lost.as_array().unwrap().iter().filter_map(|lost| lost.as_str()).collect();
        assert!(lost.contains(&"rows of table public.t"), "{lost:?}");
    }

    #[test]
    fn a_cause_is_given_by_place_and_rule() {
        let report = report("CREATE EXTENSION hll;\nCREATE TABLE t (u hll);", &Options::default());
        let related = &report["findings"][1]["related"][0];
        assert_eq!(related["rule"], "EXT-01");
        assert_eq!(related["message"], "extension hll");
        assert_eq!(related["line"], 1);
        assert_eq!(related["file"], "dump.sql");
    }

    #[test]
    fn every_field_is_there_even_where_it_is_empty() {
        let report = report("SET default_tablespace = a; SELEC 1;", &Options::default());
        let findings = report["findings"].as_array().unwrap();
        let fields = |finding: &serde_json::Value| finding.as_object().unwrap().keys().cloned().collect();
        let first: Vec<String> = fields(&findings[0]);
        assert!(findings.iter().all(|finding| fields(finding) == first));
        assert!(findings[1]["fix"].is_null());
    }
}
