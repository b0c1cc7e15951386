//! The analyzer's view of a dump, with what both servers are seen to be.

use std::collections::BTreeSet;

use tsmigrate_analyzer::facts::timescale::Version;
use tsmigrate_analyzer::finding::Unmoved;
use tsmigrate_analyzer::parse::STACK;
use tsmigrate_analyzer::report::{Choice, Report, Way, page};
use tsmigrate_analyzer::rule::About;
use tsmigrate_analyzer::rule::Rule;
use tsmigrate_analyzer::rules::server::{srv_15_omitted_object, srv_16_source_state};
use tsmigrate_analyzer::server::Omitted;
use tsmigrate_analyzer::{Analysis, Facts, Options, Severity, Target};

use crate::converted::Conversions;
use crate::defect;
use crate::error::Error;
use crate::filter::Filter;
use crate::inspect;
use crate::names::Relation;
use crate::results::{Decision, Finding, Script, worst_first};
use crate::script::Input;

/// What came of it.
pub struct Analysed {
    /// Every finding.
    pub findings: Vec<Finding>,
    /// What a person has to decide, what blocks most first.
    pub decisions: Vec<Decision>,
    /// Scripts for a person to run later.
    pub scripts: Vec<Script>,
    /// The parts, rewritten, in the order of the inputs.
    pub texts: Vec<Vec<u8>>,
}

/// Analyses the parts of one dump together.
///
/// # Errors
/// When a part is no whole dump.
pub fn analyse(
    inputs: &[Input<'_>],
    unmoved: &[Unmoved],
    source: &inspect::Facts,
    target: &inspect::Facts,
    accept: &[String],
    (filter, convert): (&Filter, &Conversions),
) -> Result<Analysed, Error> {
    let target = seen(Target::default(), target);
    let options = options(source, accept, filter, convert);
    on_large_stack(|| run(inputs, unmoved, &target, &options))
}

/// Does some work of the analyzer's on a stack as large as that asks for: a deep expression needs more than a worker has.
///
/// # Errors
/// Those of the work, and a defect in it.
pub fn on_large_stack<T: Send>(work: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, work)
            .map_err(|error| Error::File { what: "start a thread".into(), error })?
            .join()
            .unwrap_or_else(|panic| Err(Error::Defect(defect::said(&*panic))))
    })
}

fn run(
    all: &[Input<'_>],
    unmoved: &[Unmoved],
    target: &Target,
    options: &Options,
) -> Result<Analysed, Error> {
    // What is empty is no dump to the analyzer: nobody has asked for it.
    let inputs: Vec<Input<'_>> = all.iter().filter(|input| !input.text.is_empty()).copied().collect();
    let texts: Vec<_> =
        inputs.iter().map(|input| tsmigrate_analyzer::Input { name: input.part, text: input.text }).collect();
    let of_all: Vec<usize> = all
        .iter()
        .enumerate()
        .filter(|(_, input)| !input.text.is_empty())
        .map(|(number, _)| number)
        .collect();
    let numbered = |unmoved: &Unmoved| {
        let mut unmoved = unmoved.clone();
        unmoved.place.input = of_all.iter().position(|number| *number == unmoved.place.input)?;
        Some(unmoved)
    };
    let unmoved: Vec<Unmoved> = unmoved.iter().filter_map(numbered).collect();
    let mut analysis = tsmigrate_analyzer::analyze_moved(&texts, &unmoved, target, options)
        .map_err(|error| Error::Analysis(error.to_string()))?;
    let report = Report::new(&analysis, target, options);
    let views = views(&analysis, &report);
    let decisions = decisions(&analysis, &report);
    drop(report);
    // What is no longer needed goes at once: it is larger than all else that a run holds.
    analysis.facts = Facts::default();
    let mut scripts: Vec<_> = analysis
        .scripts
        .iter()
        .map(|script| Script {
            file: script.file.to_owned(),
            title: script.title.clone(),
            rule: script.rule.to_owned(),
            sql: script.sql.clone(),
        })
        .collect();
    scripts.extend(crate::left_out::script(&analysis, &inputs));
    let found = std::mem::take(&mut analysis.findings).into_iter().zip(views);
    let findings = found
        // No psql reads what is restored here.
        .filter(|(finding, _)| finding.rule.about != About::Psql)
        .map(|(finding, view)| Finding {
            rule: finding.rule.id.into(),
            severity: finding.severity.name(),
            part: inputs.get(finding.place.input).map_or("", |input| input.part),
            line: finding.place.line,
            object: finding.object,
            message: finding.message,
            solved: finding.solved,
            accepted: finding.rule.is_accepted(options),
            lost: finding.fix.and_then(|fix| fix.lost),
            advice: finding.advice,
            cause: finding.cause.map(|cause| cause.rule.id),
            view,
        })
        .collect();
    let mut rewritten =
        inputs.iter().enumerate().map(|(number, input)| analysis.rewritten(number, input.text));
    let of = |input: &Input<'_>| if input.text.is_empty() { None } else { rewritten.next() };
    let texts = all.iter().map(of).map(Option::unwrap_or_default).collect();
    Ok(Analysed { findings, decisions, scripts, texts })
}

/// What a page shows of each finding, where it has a place for it.
fn views(analysis: &Analysis, report: &Report<'_>) -> Vec<Option<Box<str>>> {
    let mut views = vec![None; analysis.findings.len()];
    let class = |finding: &tsmigrate_analyzer::Finding| (finding.severity.name(), finding.solved);
    for (number, finding) in worst_first(&analysis.findings, class) {
        if let Some(view) = views.get_mut(number) {
            *view = Some(page::finding(&report.findings.entry(finding)).to_string().into());
        }
    }
    views
}

/// What is said of roles that are missing on both servers.
const CREATE: &str = "Create what is missing on the target first";

/// Places of a decision that are named.
const PLACES: usize = 5;

/// What a check of the same dump would ask, as far as it concerns a migration.
fn decisions(analysis: &Analysis, report: &Report<'_>) -> Vec<Decision> {
    let is_ours = |finding: &&tsmigrate_analyzer::Finding| finding.rule.about != About::Psql;
    let concerns = report.decisions.iter().filter(|decision| decision.findings.iter().any(is_ours));
    concerns
        .map(|decision| {
            let place = |finding: &&tsmigrate_analyzer::Finding| {
                let part = analysis.inputs.get(finding.place.input).map_or("", |input| &input.name);
                let object = finding.object.as_ref().map_or_else(String::new, |object| format!(" {object}"));
                format!("{part}:{}{object}", finding.place.line)
            };
            // A migration dumps the roles itself, and looks at those of the target.
            let own = decision.choices.iter().filter(|choice| choice.way != Way::Roles).cloned();
            let own: Vec<Choice> = own
                .map(|choice| match choice.way {
                    Way::Create => Choice { what: CREATE.to_owned(), ..choice },
                    _ => choice,
                })
                .collect();
            let ways = || own.iter();
            let again = |choice: &Choice| match choice.way {
                Way::Option => "the same command with ",
                _ => "",
            };
            let choices = ways()
                .map(|choice| choice.written(str::to_owned, |command| format!("{}{command}", again(choice))));
            let ways = ways().map(|choice| match choice.way {
                Way::Option => {
                    Choice { what: format!("{}, by the same command with", choice.what), ..choice.clone() }
                }
                _ => choice.clone(),
            });
            Decision {
                title: decision.title.clone(),
                why: decision.why.to_owned(),
                blocks: decision.blocks,
                rules: decision.rules.keys().map(|rule| (*rule).to_owned()).collect(),
                places: decision.findings.iter().take(PLACES).map(place).collect(),
                choices: choices.collect(),
                ways: ways.collect(),
                number: decision.number,
            }
        })
        .collect()
}

/// What no dump has, as a finding about no part of one.
#[must_use]
pub fn omitted(omitted: Omitted) -> Finding {
    live(&srv_15_omitted_object::RULE, omitted)
}

/// A state of the source that fails late, or means something else on the target.
#[must_use]
pub fn state(state: Omitted) -> Finding {
    live(&srv_16_source_state::RULE, state)
}

fn live(rule: &Rule, omitted: Omitted) -> Finding {
    let next: Vec<&str> = omitted.next.iter().map(|line| line.trim()).collect();
    Finding {
        rule: rule.id.into(),
        severity: Severity::Warning.name(),
        part: "",
        line: 0,
        message: format!("{}. {}", omitted.why, next.join(" ")).into(),
        solved: false,
        accepted: false,
        lost: omitted.is_lost.then(|| omitted.object.as_str().into()),
        object: Some(omitted.object.into()),
        advice: None,
        cause: None,
        view: None,
    }
}

/// The service as it is described, corrected by what the server itself said.
#[must_use]
pub fn seen(described: Target, facts: &inspect::Facts) -> Target {
    let installed = facts.extensions.iter();
    let mut target = Target {
        version: facts.major(),
        admin: facts.user.clone(),
        database: facts.database.clone(),
        // A service of another kind, or of another day, has others.
        reserved_roles: described
            .reserved_roles
            .iter()
            .filter(|(name, _)| facts.roles.contains(*name))
            .map(|(name, why)| (name.clone(), why.clone()))
            .collect(),
        existing_roles: facts.roles.union(&described.existing_roles).cloned().collect(),
        live_extensions: Some(
            installed.map(|(name, extension)| (name.clone(), extension.schema.clone())).collect(),
        ),
        live_collations: Some(facts.collations.clone()).filter(|collations| !collations.is_empty()),
        refused_wrappers: facts.refused_wrappers.clone(),
        ..described
    };
    // Whatever it is called: no dump makes or changes the role that we connect as.
    target.reserve_role(&facts.user);
    target.timescaledb.installed =
        facts.extensions.get("timescaledb").and_then(|extension| Version::read(&extension.version));
    if let Some(list) = target.extension_lists.last_mut() {
        list.extensions.clone_from(&facts.creatable);
        list.extensions.extend(facts.extensions.keys().cloned());
    }
    target
}

/// A relation as the analyzer's options name it.
#[must_use]
pub fn pair(relation: &Relation) -> (String, String) {
    (relation.schema.clone(), relation.name.clone())
}

fn options(source: &inspect::Facts, accept: &[String], filter: &Filter, convert: &Conversions) -> Options {
    let timescale = source.timescale.iter();
    Options {
        accept: accept.iter().cloned().collect::<BTreeSet<_>>(),
        database: Some(source.database.clone()),
        catalogs_follow: true,
        hands_over_chunks: true,
        convert: convert.wanted().clone(),
        absent: filter.left_out().iter().chain(convert.left_out()).map(pair).collect(),
        hypertables: timescale.clone().flat_map(|timescale| &timescale.hypertables).map(pair).collect(),
        chunks: timescale.flat_map(|timescale| &timescale.chunks).map(pair).collect(),
        ..Options::default()
    }
}
