//! The session: inputs begin, stream by in chunks, and end; then the rules finish.

use super::census;
use super::result::{Analysis, Input};
use super::state::Pass;
use crate::batches::{Executor, Inline, ParseOutcome, Pipeline};
use crate::facts::{Facts, ObjectId};
use crate::finding::{Place, Unmoved};
use crate::input::{HEAD, InputError, KNOWN_BY, sniff, sniff_text};
use crate::options::Options;
use crate::order::begins;
use crate::parse::Class;
use crate::rule::{Finish, NotJudgedList, Subject};
use crate::rules;
use crate::rules::timescaledb::orphans::Orphans;
use crate::server::Server;
use crate::split::{Piece, Splitter};
use crate::target::Target;
use crate::text::Span;

/// Analyses texts that are in memory, in the order in which they are restored: roles, schema, rows, what is built on rows
/// ([`order`](crate::order)). The result has them in the order in which they are given.
///
/// # Errors
/// [`InputError`] where an input is not a whole dump in text form.
pub fn analyze(inputs: &[Input<'_>], target: &Target, options: &Options) -> Result<Analysis, InputError> {
    analyze_moved(inputs, &[], target, options)
}

/// The same of texts whose schemas have moved, with the places that [`Mover`](crate::moving::Mover) did not prove; their
/// inputs are numbered as the texts are given.
///
/// # Errors
/// [`InputError`] where an input is not a whole dump in text form.
pub fn analyze_moved(
    inputs: &[Input<'_>],
    unmoved: &[Unmoved],
    target: &Target,
    options: &Options,
) -> Result<Analysis, InputError> {
    let mut order: Vec<usize> = (0..inputs.len()).collect();
    if inputs.len() > 1 {
        order.sort_by_cached_key(|&index| inputs.get(index).map(|input| begins(input.head())));
    }
    let mut analyzer = Analyzer::new(target, options);
    for input in order.iter().filter_map(|&index| inputs.get(index)) {
        analyzer.begin(input.name);
        analyzer.feed(input.text)?;
        analyzer.end()?;
    }
    let taken = |unmoved: &Unmoved| {
        let mut unmoved = unmoved.clone();
        unmoved.place.input = order.iter().position(|&index| index == unmoved.place.input)?;
        Some(unmoved)
    };
    analyzer.unmoved(&unmoved.iter().filter_map(taken).collect::<Vec<_>>());
    let mut analysis = analyzer.finish();
    analysis.put_in_order(&order);
    Ok(analysis)
}

/// Analyses inputs as their bytes stream by. For each: [`Analyzer::begin`], [`Analyzer::feed`],
/// [`Analyzer::end`]; then [`Analyzer::finish`]. They are taken in the order in which they come:
/// [`begins`](crate::order::begins) tells the one in which they are restored.
#[derive(Debug)]
pub struct Analyzer<'t> {
    splitter: Splitter,
    pipeline: Pipeline<'t>,
    pass: Pass<'t>,
    /// The first bytes, until there are enough to tell what kind of file it is.
    head: Vec<u8>,
    /// The first bytes were those of a text.
    /// It is known whether this is text.
    sniffed: bool,
    /// It is known whose text it is: what comes goes on.
    opened: bool,
    /// Findings were added behind those of later places.
    unordered: bool,
}

impl<'t> Analyzer<'t> {
    /// An analyzer for this target.
    #[must_use]
    pub fn new(target: &'t Target, options: &'t Options) -> Self {
        Self::with_executor(target, options, &Inline)
    }

    /// An analyzer whose statements are parsed where the executor says.
    #[must_use]
    pub fn with_executor(target: &'t Target, options: &'t Options, executor: &'t dyn Executor) -> Self {
        let kept_database =
            options.database.as_ref().or(options.moved.first()).map(|name| name.as_str().into());
        let (admin, database) = (target.admin.as_str().into(), target.database.as_str().into());
        let mut facts = Facts { kept_database, admin, database, ..Facts::default() };
        let hypertables = options.hypertables.iter();
        facts
            .hypertables
            .extend(hypertables.map(|(schema, name)| ObjectId::new(Class::Relation, Some(schema), name)));
        Self {
            splitter: Splitter::new(),
            pipeline: Pipeline::new(executor),
            pass: Pass::new(target, options, facts),
            head: Vec::new(),
            sniffed: false,
            opened: false,
            unordered: false,
        }
    }

    /// The next input begins.
    pub fn begin(&mut self, name: &str) {
        self.splitter = Splitter::new();
        self.head.clear();
        (self.sniffed, self.opened) = (false, false);
        self.pass.begin_input(name);
    }

    /// Takes a live server as an input of its own, beside the dumps of it.
    pub fn server(&mut self, server: &Server) {
        self.begin(&server.name);
        let pass = &mut self.pass;
        if let Some(header) = pass.analysis.facts.headers.last_mut() {
            header.server_version = Some(server.version.clone());
        }
        let place = Place { input: pass.input(), statement: 0, span: Span::new(0, 0), line: 0, column: 0 };
        let subject = Subject::Server { server, place };
        for rule in rules::registry().looking_at(&subject) {
            pass.context(rule, subject, rule.check);
        }
    }

    /// Takes the places of all inputs that are not moved with their schemas, once the inputs have ended.
    pub fn unmoved(&mut self, places: &[Unmoved]) {
        for unmoved in places {
            let subject = Subject::Unmoved(unmoved);
            for rule in rules::registry().looking_at(&subject) {
                self.pass.context(rule, subject, rule.check);
            }
        }
        self.unordered |= !places.is_empty();
    }

    /// Takes the next bytes of the input.
    ///
    /// # Errors
    /// [`InputError`] where the bytes are not those of a dump in text form.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), InputError> {
        if self.opened {
            return self.split(chunk);
        }
        // No more of it is kept: a whole dump may come at once.
        let (head, rest) = chunk.split_at(KNOWN_BY.saturating_sub(self.head.len()).min(chunk.len()));
        self.head.extend_from_slice(head);
        if self.head.len() >= HEAD {
            self.sniff()?;
        }
        if self.head.len() < KNOWN_BY {
            return Ok(());
        }
        self.open()?;
        self.split(rest)
    }

    /// The first bytes have come: they tell whether this is text.
    fn sniff(&mut self) -> Result<(), InputError> {
        if std::mem::replace(&mut self.sniffed, true) {
            return Ok(());
        }
        // The same bytes, however many came at once.
        sniff(self.head.get(..HEAD).unwrap_or(&self.head)).map_err(|problem| self.pass.error(problem))
    }

    /// So many have come that they tell whose text it is.
    fn open(&mut self) -> Result<(), InputError> {
        self.sniff()?;
        self.opened = true;
        let head = std::mem::take(&mut self.head);
        sniff_text(&head).map_err(|problem| self.pass.error(problem))?;
        self.split(&head)
    }

    fn split(&mut self, chunk: &[u8]) -> Result<(), InputError> {
        let (pass, pipeline) = (&mut self.pass, &mut self.pipeline);
        let mut take = |piece: &Piece<'_>, outcome: Option<ParseOutcome>| pass.take(piece, outcome);
        self.splitter.feed(chunk, &mut |piece| pipeline.push(&piece, &mut take));
        self.pass.failure.take().map_or(Ok(()), Err)
    }

    /// The input has ended.
    ///
    /// # Errors
    /// [`InputError`] where it is empty, cut off, or cannot be analysed safely.
    pub fn end(&mut self) -> Result<(), InputError> {
        if !self.opened {
            self.open()?;
        }
        let (pass, pipeline) = (&mut self.pass, &mut self.pipeline);
        let mut take = |piece: &Piece<'_>, outcome: Option<ParseOutcome>| pass.take(piece, outcome);
        self.splitter.finish(&mut |piece| pipeline.push(&piece, &mut take));
        pipeline.flush(&mut take);
        pass.release(None);
        if let Some(failure) = self.pass.failure.take() {
            return Err(failure);
        }
        self.pass.end_input()
    }

    /// All inputs have ended.
    #[must_use]
    pub fn finish(self) -> Analysis {
        let mut pass = self.pass;
        let Pass { ref mut analysis, ref states, target, options, .. } = pass;
        for rule in rules::all() {
            if let Some(finish) = rule.finish {
                finish(&mut Finish {
                    facts: &analysis.facts,
                    target,
                    options,
                    states,
                    registry: rules::registry(),
                    rule,
                    findings: &mut analysis.findings,
                    scripts: &mut analysis.scripts,
                });
            }
        }
        census::finish(&mut pass.analysis.databases, pass.analysis.facts.kept_database.as_deref());
        pass.remove_late();
        pass.apply_levels();
        let orphans = if rules::timescaledb::ts_04_schema_only::applies(&pass.analysis.facts, pass.options) {
            pass.states.get::<Orphans>().map_or(&[][..], |orphans| &orphans.runs)
        } else {
            &[]
        };
        pass.analysis.not_judged = pass.states.get::<NotJudgedList>().cloned().unwrap_or_default().sorted();
        if self.unordered {
            pass.analysis.findings.sort_by_key(|finding| (finding.place.input, finding.place.line));
        }
        pass.analysis.plan(orphans);
        pass.analysis
    }
}
