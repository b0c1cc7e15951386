//! The report as a whole.

use std::collections::BTreeMap;

use serde::Serialize;

use super::around::Section;
use super::databases::{self, DatabaseEntry};
use super::decisions::{Decision, decisions};
use super::entries::Entries;
use super::losses::{Loss, losses};
use super::merge;
use super::shape::{
    Counts, InputReport, ListSummary, NotJudgedEntry, OptionsSummary, PlaceEntry, TargetSummary, Tool,
    Verdict,
};
use crate::analysis::Analysis;
use crate::finding::{Place, Script, Severity};
use crate::options::Options;
use crate::rule::{Finding, Unjudged};
use crate::target::Target;

/// The version of the report's form: it grows when a field goes or changes its meaning.
pub const VERSION: u32 = 1;

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
    /// What a person has to decide before it restores, what blocks most first.
    pub decisions: Vec<Decision<'a>>,
    /// The databases of a cluster dump: none where there are not several.
    pub databases: Vec<DatabaseEntry<'a>>,
    /// The options that keep them all, for a shell: `--into-schema shop=shop --into-schema crm=crm`. None where there is nothing
    /// to add, or where more than one has hypertables.
    pub keep_all_databases: Option<String>,
    /// What was not judged, each kind once: a warning for those who need to be sure.
    pub not_judged: Vec<NotJudgedEntry<'a>>,
    /// What the target will not have after the rewrite, in words, each once.
    pub lost: Vec<&'a str>,
    /// The same by the rules that say so.
    #[serde(skip)]
    pub losses: Vec<Loss<'a>>,
    /// Every finding.
    #[cfg_attr(test, schemars(with = "Vec<super::entries::Entry<'_>>"))]
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
        let names: Vec<&str> = analysis.inputs.iter().map(|input| input.name.as_str()).collect();
        let losses = losses(findings.findings());
        let lost = losses.iter().flat_map(|loss| loss.lost.iter().copied()).collect();
        let mut decisions = decisions(&findings, &names);
        for decision in &mut decisions {
            if decision.findings.iter().all(|finding| finding.rule.of_databases) {
                let ways = merge::choices(analysis, options, &names);
                decision.choices.splice(0..0, ways);
            }
        }
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
            decisions,
            databases: databases::databases(analysis, options),
            keep_all_databases: merge::keep_all(analysis, options),
            not_judged: not_judged(analysis),
            lost,
            losses,
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

impl Report<'_> {
    /// The table of databases as a part of a page: none where there are not several.
    #[must_use]
    pub fn databases_section(&self) -> Option<Section> {
        databases::section(&self.databases, self.keep_all_databases.as_deref())
    }

    /// Places that were to be left as they are, and at which the rule has found nothing.
    pub fn left_nowhere(&self) -> impl Iterator<Item = String> {
        self.findings.left_nowhere()
    }
}

/// What was not judged: what the pass could not look at, and errors that options and comments take out of the count.
fn not_judged(analysis: &Analysis) -> Vec<NotJudgedEntry<'_>> {
    let mut all: BTreeMap<Unjudged, (u64, Place)> =
        analysis.not_judged.iter().map(|entry| (entry.what, (entry.count, entry.place))).collect();
    for finding in &analysis.findings {
        let what = match finding.own_severity.unwrap_or(finding.severity) {
            Severity::Error if finding.allowed.is_some() => Unjudged::Comments,
            Severity::Error if finding.severity < Severity::Error => Unjudged::Settings,
            _ => continue,
        };
        let (count, first) = all.entry(what).or_insert((0, finding.place));
        *count += 1;
        *first = finding.place.min(*first);
    }
    let entry = |(what, (count, place)): (Unjudged, (u64, Place))| NotJudgedEntry {
        kind: what,
        what: what.words(count),
        count,
        place: PlaceEntry {
            file: analysis.inputs.get(place.input).map_or("", |input| &input.name),
            line: place.line,
            column: place.column.into(),
            span: place.span,
        },
    };
    all.into_iter().map(entry).collect()
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::report::class::Class;
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
        let open = |report: &Report<'_>| {
            report.findings.findings().filter(|finding| Class::of(finding) == Class::Open).count()
        };
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
