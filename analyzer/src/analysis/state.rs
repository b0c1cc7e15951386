//! The state of the pass, and what every step of it needs: checking, keeping and placing findings.

use std::collections::{BTreeSet, HashSet};
use std::hash::Hash;

use arcstr::ArcStr;

use super::allowances::Allowances;
use super::result::{Analysis, InputSummary, LeftOutSection};
use super::row_bytes::RowBytes;
use super::undo::Undo;
use crate::batches::ParseOutcome;
use crate::facts::Facts;
use crate::facts::rows::RowReader;
use crate::finding::{Place, ServerError, Severity};
use crate::grow;
use crate::input::{InputError, Problem};
use crate::options::Options;
use crate::rule::{Context, Finding, NotJudgedList, Rule, States, Subject, Unjudged};
use crate::rules;
use crate::split::{End, Kind, Piece};
use crate::target::Target;
use crate::text::{Position, Span};

/// Different answers of the server, and different advice, that are remembered, so that findings share them.
const MAX_SHARED: usize = 10_000;

/// The one that is known already, in its place.
fn shared<T: Clone + Eq + Hash>(known: &mut HashSet<T>, new: T) -> T {
    if let Some(known) = known.get(&new) {
        return known.clone();
    }
    if known.len() < MAX_SHARED {
        known.insert(new.clone());
    }
    new
}

#[cfg(test)]
thread_local! {
    /// Rules that do not look at a piece are asked too, and must find nothing in it.
    pub(crate) static ASK_ALL_RULES: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// What the pass knows between two pieces.
#[derive(Debug)]
pub(super) struct Pass<'t> {
    pub(super) target: &'t Target,
    pub(super) options: &'t Options,
    pub(super) analysis: Analysis,
    pub(super) states: States,
    /// What is known of the last COPY.
    pub(super) copy: CopyState,
    /// The section of a cluster dump that the pass is in.
    pub(super) section: DatabaseSection,
    /// Databases that were reported to be left out.
    pub(super) left_out_databases: BTreeSet<String>,
    /// Those of which it was said that they have no objects.
    pub(super) empty_databases: BTreeSet<String>,
    /// Why the input cannot be analysed.
    pub(super) failure: Option<InputError>,
    /// Answers of the server that findings share.
    answers: HashSet<ServerError>,
    /// What to do, titles of fixes and what is in other places, in words that findings share.
    words: HashSet<ArcStr>,
    /// How the last piece ended, and where.
    pub(super) last: Option<(End, Position)>,
    /// What comments of the dumps allow.
    pub(super) allowances: Allowances,
    /// What a transaction goes back to.
    pub(super) undo: Undo,
    /// A statement, and the white space behind it, until the end of its line.
    pub(super) held: Vec<HeldPiece>,
}

/// What is known of the last COPY. All numbers are places in the list of findings.
#[derive(Debug, Default)]
pub(super) struct CopyState {
    /// The line where the last statement begins, be it a COPY or another.
    pub(super) line: u64,
    /// It was removed, for this finding: its rows go with it.
    pub(super) removal: Option<usize>,
    /// Findings that stand only if rows follow.
    pub(super) needs_rows: Vec<usize>,
    /// The first of its findings, until a row comes.
    pub(super) without_rows: Option<usize>,
    /// What is known of the bytes of its rows.
    pub(super) bytes: RowBytes,
    /// Reads its rows, where a rule or the facts want them.
    pub(super) reader: Option<RowReader>,
}

/// A section of a cluster dump: from a `\connect` to the next one, or to the header of the next database.
#[derive(Debug, Default)]
pub(super) enum DatabaseSection {
    /// No section of its own, or that of the database that is kept.
    #[default]
    Kept,
    /// It is not known yet whether this is the database to keep: a section without objects is no reason to keep it.
    Undecided(Box<UndecidedSection>),
    /// Another database: nothing of it is looked at.
    LeftOut {
        /// Its place among the sections that are left out.
        index: usize,
        /// A finding about it was reported.
        reported: bool,
    },
}

/// A section that may turn out to be left out, with all that was known before it, which is restored then.
#[derive(Debug)]
pub(super) struct UndecidedSection {
    pub(super) section: LeftOutSection,
    pub(super) facts: Facts,
    pub(super) states: States,
    pub(super) undo: Undo,
    /// How many findings there were.
    pub(super) findings: usize,
    /// How many allowances there were.
    pub(super) allowances: usize,
    /// The first statement that is more than a session's setting.
    pub(super) place: Option<Place>,
}

/// A copy of a piece, held until the end of its line.
#[derive(Debug)]
pub(super) struct HeldPiece {
    pub(super) kind: Kind,
    text: Vec<u8>,
    span: Span,
    at: Position,
    end: End,
    standard_strings: bool,
    pub(super) outcome: Option<ParseOutcome>,
}

impl HeldPiece {
    pub(super) fn new(piece: &Piece<'_>, outcome: Option<ParseOutcome>) -> Self {
        let Piece { kind, text, span, at, end, standard_strings } = *piece;
        Self { kind, text: text.to_owned(), span, at, end, standard_strings, outcome }
    }

    pub(super) fn piece(&self) -> Piece<'_> {
        let Self { kind, ref text, span, at, end, standard_strings, .. } = *self;
        Piece { kind, text, span, at, end, standard_strings }
    }
}

impl<'t> Pass<'t> {
    /// A pass before its first input.
    pub(super) fn new(target: &'t Target, options: &'t Options, facts: Facts) -> Self {
        Self {
            target,
            options,
            analysis: Analysis { facts, ..Analysis::default() },
            states: States::default(),
            copy: CopyState::default(),
            section: DatabaseSection::default(),
            left_out_databases: BTreeSet::new(),
            empty_databases: BTreeSet::new(),
            failure: None,
            answers: HashSet::new(),
            words: HashSet::new(),
            last: None,
            allowances: Allowances::default(),
            undo: Undo::default(),
            held: Vec::new(),
        }
    }

    /// The next input begins.
    pub(super) fn begin_input(&mut self, name: &str) {
        self.analysis.inputs.push(InputSummary { name: name.to_owned(), ..InputSummary::default() });
        self.analysis.facts.begin_input(name);
        self.undo.clear();
        self.copy = CopyState::default();
        self.last = None;
        self.allowances.begin_input();
        self.held.clear();
    }
}

impl Pass<'_> {
    pub(super) fn error(&self, problem: Problem) -> InputError {
        let name = self.analysis.inputs.last().map_or(String::new(), |input| input.name.clone());
        InputError { input: name, problem }
    }

    /// The number of the input, from 0.
    pub(super) fn input(&self) -> usize {
        self.analysis.inputs.len().saturating_sub(1)
    }

    /// The input's name, where it decides anything.
    pub(super) fn file(&self) -> String {
        match self.analysis.inputs.last() {
            Some(input) if !self.options.leave.is_empty() => input.name.clone(),
            _ => String::new(),
        }
    }

    pub(super) fn place(&self, piece: &Piece<'_>, statement: u64) -> Place {
        Place {
            input: self.input(),
            statement: Place::number(statement),
            span: piece.span,
            line: piece.at.line,
            column: piece.at.column,
        }
    }

    /// Counts a statement: its number, from 1.
    pub(super) fn next_statement(&mut self) -> u64 {
        self.analysis.inputs.last_mut().map_or(0, |input| {
            input.statements += 1;
            input.statements
        })
    }

    /// Keeps a finding, in as little memory as it takes.
    pub(super) fn keep(&mut self, mut finding: Finding) {
        finding.shrink();
        finding.server_error = finding.server_error.map(|error| shared(&mut self.answers, error));
        finding.advice = finding.advice.map(|advice| shared(&mut self.words, advice));
        let titles = finding.fix.iter_mut().map(|fix| &mut fix.title);
        for words in titles.chain(finding.related.iter_mut().map(|related| &mut related.message)) {
            *words = shared(&mut self.words, std::mem::take(words));
        }
        grow::push(&mut self.analysis.findings, finding);
    }

    /// Runs all rules on one piece.
    pub(super) fn check(&mut self, subject: Subject<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        for rule in rules::registry().looking_at(&subject) {
            (rule.check)(&mut Context {
                subject,
                facts: &self.analysis.facts,
                target: self.target,
                options: self.options,
                states: &mut self.states,
                registry: rules::registry(),
                rule,
                findings: &mut findings,
            });
        }
        #[cfg(test)]
        if ASK_ALL_RULES.get() {
            self.others_find_nothing(subject, &findings);
        }
        findings.retain(|finding| {
            let is_off = self.options.is_off(finding.rule.id);
            if is_off && finding.severity == Severity::Error {
                self.states.of::<NotJudgedList>().add(Unjudged::Settings, finding.place);
            }
            !is_off
        });
        self.allowances.mark(&mut findings);
        findings
    }

    /// A rule that does not say that it looks at a piece finds nothing in it: what it says is true.
    #[cfg(test)]
    fn others_find_nothing(&self, subject: Subject<'_>, found: &[Finding]) {
        let looking = rules::registry().looking_at(&subject);
        for rule in rules::all().filter(|rule| !looking.contains(rule)) {
            let (mut states, mut findings) = (self.states.clone(), found.to_vec());
            (rule.check)(&mut Context {
                subject,
                facts: &self.analysis.facts,
                target: self.target,
                options: self.options,
                states: &mut states,
                registry: rules::registry(),
                rule,
                findings: &mut findings,
            });
            assert_eq!(findings.len(), found.len(), "{} finds something in {subject:?}", rule.id);
        }
    }

    /// Has a rule say something outside of its turn.
    pub(super) fn context(
        &mut self,
        rule: &'static Rule,
        subject: Subject<'_>,
        say: impl FnOnce(&mut Context<'_>),
    ) {
        say(&mut Context {
            subject,
            facts: &self.analysis.facts,
            target: self.target,
            options: self.options,
            states: &mut self.states,
            registry: rules::registry(),
            rule,
            findings: &mut self.analysis.findings,
        });
    }
}
