//! The forward pass: each piece of an input in its order, looked at by the rules and kept as facts.

use std::collections::{BTreeSet, HashSet};

use super::allowances::Allowances;
use super::comments::HeldPiece;
use super::copy::CopyState;
use super::sections::DatabaseSection;
use super::statement::accept_loss;
use super::{Analysis, InputSummary};
use crate::edit::Action;
use crate::facts::Facts;
use crate::facts::rows::Reading;
use crate::finding::{Finding, Place, ServerError};
use crate::input::{InputError, Problem};
use crate::locate::Statement;
use crate::options::Options;
use crate::parse::{NodeEnum, ParseError, parse};
use crate::prepare::{Outcome, Tree, read};
use crate::rewrite;
use crate::rule::{Context, Rule, Subject};
use crate::rules::{self, Memory, RULES};
use crate::split::{End, Kind, Open, Piece};
use crate::target::Target;
use crate::text::{Position, Span, parseable, position};

/// Different answers of the server that are remembered, so that findings share them.
const MAX_ANSWERS: usize = 10_000;

/// What the pass knows between two pieces.
#[derive(Debug)]
pub(super) struct Pass<'t> {
    pub(super) target: &'t Target,
    pub(super) options: &'t Options,
    pub(super) analysis: Analysis,
    pub(super) memory: Memory,
    /// What is known of the last COPY.
    pub(super) copy: CopyState,
    /// The section of a cluster dump that the pass is in.
    pub(super) section: DatabaseSection,
    /// Databases that were reported to be left out.
    pub(super) left_out_databases: BTreeSet<String>,
    /// Why the input cannot be analysed.
    pub(super) failure: Option<InputError>,
    /// Answers of the server that findings share.
    answers: HashSet<ServerError>,
    /// How the last piece ended, and where.
    last: Option<(End, Position)>,
    /// What comments of the dumps allow.
    pub(super) allowances: Allowances,
    /// A statement, and the white space behind it, until the end of its line.
    pub(super) held: Vec<HeldPiece>,
}

impl<'t> Pass<'t> {
    /// A pass before its first input.
    pub(super) fn new(target: &'t Target, options: &'t Options, facts: Facts) -> Self {
        Self {
            target,
            options,
            analysis: Analysis { facts, ..Analysis::default() },
            memory: Memory::default(),
            copy: CopyState::default(),
            section: DatabaseSection::default(),
            left_out_databases: BTreeSet::new(),
            failure: None,
            answers: HashSet::new(),
            last: None,
            allowances: Allowances::default(),
            held: Vec::new(),
        }
    }

    /// The next input begins.
    pub(super) fn begin_input(&mut self, name: &str) {
        self.analysis.inputs.push(InputSummary { name: name.to_owned(), ..InputSummary::default() });
        self.analysis.facts.begin_input(name);
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
            statement,
            span: piece.span,
            line: piece.at.line,
            column: piece.at.column,
        }
    }

    /// Takes a piece whose comments have been read.
    pub(super) fn piece(&mut self, piece: &Piece<'_>, outcome: Option<Outcome>) {
        if self.failure.is_some() {
            return;
        }
        if let Some(input) = self.analysis.inputs.last_mut() {
            input.bytes = piece.span.end;
        }
        let place = self.place(piece, 0);
        // Rows of COPY data are never an input's last piece but where it is cut off: their lines need no counting.
        let end = if piece.kind == Kind::CopyData {
            piece.at
        } else {
            position(piece.text, piece.at, piece.text.len())
        };
        self.last = Some((piece.end, end));
        if let End::CutOff(open) = piece.end {
            self.cut_off(piece, open);
            return;
        }
        match piece.kind {
            Kind::Statement => self.statement(piece, outcome),
            Kind::CopyData => self.copy_rows(piece),
            Kind::CopyEnd => self.copy_end(piece),
            Kind::Meta => self.meta(piece),
            Kind::Comment => {
                let text = parseable(piece.text);
                if self.analysis.facts.ends_part(&text) {
                    self.end_section();
                }
                self.analysis.facts.comment(&text);
            }
            Kind::Noise if self.is_left_out() => {}
            Kind::Noise => {
                let text = parseable(piece.text);
                let findings = self.check(Subject::Noise { text: &text, place });
                self.keep_whole(findings);
            }
            Kind::Blank => {}
        }
        self.extend_section(piece.span.end);
    }

    /// Counts a statement: its number, from 1.
    fn next_statement(&mut self) -> u64 {
        self.analysis.inputs.last_mut().map_or(0, |input| {
            input.statements += 1;
            input.statements
        })
    }

    /// The input ends inside something. Where what was swallowed holds the end mark of the dump, the dump is whole
    /// and the statement is faulty: psql fails on it in the same way.
    fn cut_off(&mut self, piece: &Piece<'_>, open: Open) {
        const END_MARK: &[u8] = b"\n-- PostgreSQL database dump complete";
        let is_whole = memchr::memmem::find(piece.text, END_MARK).is_some() && open != Open::CopyData;
        if !is_whole {
            self.failure = Some(self.error(Problem::CutOff { open, line: piece.at.line }));
            return;
        }
        let number = self.next_statement();
        if let Some(header) = self.analysis.facts.headers.last_mut() {
            header.completed = header.begun;
        }
        let message = format!("{} that begins in this statement never ends", crate::input::open_words(open));
        let error = ParseError::Syntax { message, near: None };
        let sql = parseable(piece.text);
        let place = self.place(piece, number);
        let findings = self.check(Subject::Unparsed { sql: &sql, error: &error, end: piece.end, place });
        self.keep_whole(findings);
    }

    /// Keeps a finding, in as little memory as it takes.
    pub(super) fn keep(&mut self, mut finding: Finding) {
        finding.shrink();
        if let Some(error) = finding.server_error.take() {
            let known = self.answers.get(&error).cloned();
            if known.is_none() && self.answers.len() < MAX_ANSWERS {
                self.answers.insert(error.clone());
            }
            finding.server_error = Some(known.unwrap_or(error));
        }
        self.analysis.findings.push(finding);
    }

    /// Runs all rules on one piece.
    pub(super) fn check(&mut self, subject: Subject<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        for rule in RULES {
            (rule.check)(&mut Context {
                subject,
                facts: &self.analysis.facts,
                target: self.target,
                options: self.options,
                memory: &mut self.memory,
                rule,
                findings: &mut findings,
            });
        }
        findings.retain(|finding| !self.options.is_off(finding.rule));
        self.allowances.mark(&mut findings);
        findings
    }

    fn statement(&mut self, piece: &Piece<'_>, outcome: Option<Outcome>) {
        let number = self.next_statement();
        self.copy = CopyState::default();
        if matches!(self.section, DatabaseSection::LeftOut { reported: true, .. }) {
            return;
        }
        let sql = parseable(piece.text);
        if !self.is_left_out() {
            self.inner_comments(&sql, piece, number);
        }
        match outcome.unwrap_or_else(|| read(&sql, piece.standard_strings)) {
            Ok(Some(tree)) => {
                let statement =
                    Statement::new(&sql, &tree.parsed, self.input(), number, piece.span.start, piece.at);
                if !self.other_database(&statement) {
                    self.parsed(&statement, &tree, piece);
                }
            }
            Err(ParseError::TooDeep) => {
                self.failure = Some(self.error(Problem::TooDeep { statement: number, line: piece.at.line }));
            }
            Err(error) if !self.is_left_out() => {
                let place = self.place(piece, number);
                let findings =
                    self.check(Subject::Unparsed { sql: &sql, error: &error, end: piece.end, place });
                self.keep_whole(findings);
            }
            // Nothing to see: no statement, or one in the section of another database.
            Ok(None) | Err(_) => {}
        }
    }

    fn parsed(&mut self, statement: &Statement<'_>, tree: &Tree, piece: &Piece<'_>) {
        if let NodeEnum::CopyStmt(copy) = statement.node() {
            self.copy.reader = Reading::of(&self.analysis.facts, copy, statement.place(&statement.range()));
        }
        rules::know_body(&mut self.memory, statement, &tree.parts);
        let findings = self.check(Subject::Statement(statement));
        rules::keep_body(&self.memory, statement, &tree.parts);
        if findings.is_empty() {
            self.analysis.facts.observe(statement, None);
            return;
        }
        let result = self.statement_result(statement, &tree.parsed, piece, findings);
        let is_copy_in =
            matches!(statement.node(), NodeEnum::CopyStmt(s) if s.is_from && s.filename.is_empty());
        let first = self.analysis.findings.len();
        let removal = result.findings.iter().position(|finding| {
            finding.solved
                && matches!(finding.fix.as_ref().map(|fix| &fix.action), Some(Action::Remove { .. }))
        });
        if is_copy_in && let Some(index) = removal {
            self.copy.removal = Some(first + index);
        }
        self.copy.needs_rows.extend(
            result.findings.iter().zip(first..).filter(|(f, _)| f.needs_rows).map(|(_, index)| index),
        );
        for finding in result.findings {
            self.keep(finding);
        }
        self.copy.without_rows = is_copy_in.then_some(first);

        for sql in &result.before {
            self.observe_added(sql, statement);
        }
        match &result.new {
            Some((text, parsed)) => {
                let place = statement.place(&statement.range());
                let new =
                    Statement::new(text, parsed, place.input, place.statement, place.span.start, piece.at);
                self.analysis.facts.observe(&new, result.absence.as_ref());
            }
            None => self.analysis.facts.observe(statement, result.absence.as_ref()),
        }
        for sql in &result.after {
            self.observe_added(sql, statement);
        }
    }

    /// A statement that a fix adds is a fact too, at the place of the one it was added to.
    fn observe_added(&mut self, sql: &str, near: &Statement<'_>) {
        if let Ok(Some(parsed)) = parse(sql, true) {
            let place = near.place(&near.range());
            let at = Position { line: place.line, column: place.column };
            let added = Statement::new(sql, &parsed, place.input, place.statement, place.span.start, at);
            self.analysis.facts.observe(&added, None);
        }
    }

    /// Keeps findings about a meta-command or a stray line, which is removed whole or left.
    fn keep_whole(&mut self, findings: Vec<Finding>) {
        for mut finding in findings {
            let span = finding.place.span;
            accept_loss(&mut finding, self.options, span);
            finding.solved =
                finding.fix.as_ref().is_some_and(|fix| matches!(fix.action, Action::Remove { .. }))
                    && rewrite::is_wanted(&finding, self.options, &self.file());
            self.keep(finding);
        }
    }

    fn meta(&mut self, piece: &Piece<'_>) {
        let text = parseable(piece.text);
        let place = self.place(piece, 0);
        if let Some(database) = crate::input::connect_target(&text) {
            if self.begins_section(&database) {
                self.end_section();
                self.begin_section(&database, place);
            }
            self.analysis.facts.connect(&database, place);
        }
        self.copy.removal = None;
        if self.is_left_out() {
            return;
        }
        let first = self.analysis.findings.len();
        let findings = self.check(Subject::Meta { text: &text, place });
        self.keep_whole(findings);
        // The rows of a `\copy … from stdin` go with it.
        let removed = self.analysis.findings.get(first..).into_iter().flatten().position(|f| f.solved);
        self.copy.removal = removed.map(|index| first + index);
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
            memory: &mut self.memory,
            rule,
            findings: &mut self.analysis.findings,
        });
    }

    pub(super) fn end_input(&mut self) -> Result<(), InputError> {
        self.end_section();
        let statements = self.analysis.inputs.last().map_or(0, |input| input.statements);
        let bytes = self.analysis.inputs.last().map_or(0, |input| input.bytes);
        let start = Position { line: 1, column: 1 };
        let (end, Position { line, column }) = self.last.unwrap_or((End::Complete, start));
        if bytes == 0 {
            return Err(self.error(Problem::Empty));
        }
        if statements == 0 && self.analysis.facts.headers.last().is_none_or(|header| header.begun == 0) {
            return Err(self.error(Problem::NoStatement));
        }
        let header = self.analysis.facts.headers.last().cloned().unwrap_or_default();
        let place = Place { input: self.input(), statement: 0, span: Span::new(bytes, bytes), line, column };
        // A last statement without its semicolon is fine by itself; in a dump that lacks its end mark,
        // and where the parser missed the rest, the file was cut off.
        let broken = self.analysis.findings.last().is_some_and(|finding| {
            finding.place.input == self.input()
                && finding.place.statement == statements
                && finding.rule == "IN-10"
        });
        if end == End::InputEnded && broken && header.completed < header.begun {
            return Err(self.error(Problem::CutOff { open: Open::Parenthesis, line }));
        }
        let findings = self.check(Subject::End { place });
        self.keep_whole(findings);
        Ok(())
    }
}
