//! The one forward pass over the inputs: pieces into facts, findings and planned changes.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::allow::{self, Allowances};
use crate::edit::{Action, Edit, Fix, Safety};
use crate::facts::rows::Reading;
use crate::facts::{Absence, Facts, objects};
use crate::finding::{Finding, Place, Script, ServerError, Severity};
use crate::input::{InputError, Problem, sniff};
use crate::locate::Statement;
use crate::options::Options;
use crate::order;
use crate::parse::{NodeEnum, ParseError, Parsed, TokenKind, Tokens, parse};
use crate::prepare::{Executor, Inline, Outcome, Pipeline, Tree, read};
use crate::rewrite::{self, Planned, Rewriter, Style};
use crate::rules::{self, Context, Finish, Memory, RULES, Subject};
use crate::server::Server;
use crate::split::{End, Kind, Piece, Splitter};
use crate::target::Target;
use crate::text::{Position, Span, parseable, position};

/// Rounds of edits on one statement before it is given up as unstable.
const MAX_ROUNDS: usize = 8;

/// Different answers of the server that are remembered, so that findings share them.
const MAX_ANSWERS: usize = 10_000;

/// A text with its name.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// What to call it in reports: a file's path as the person gave it.
    pub name: &'a str,
    /// Its bytes.
    pub text: &'a [u8],
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
    /// Parts of other databases, left out.
    left_out: Vec<LeftOut>,
}

impl Analysis {
    /// Errors that the rewrite does not solve.
    pub fn unsolved(&self) -> impl Iterator<Item = &Finding> {
        rewrite::unsolved(&self.findings)
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

/// The part of a database that is left out of the rewritten dump.
#[derive(Debug)]
struct LeftOut {
    input: usize,
    span: Span,
    database: String,
}

/// Analyses texts that are in memory.
///
/// # Errors
/// [`InputError`] where an input is not a whole dump in text form.
pub fn analyze(inputs: &[Input<'_>], target: &Target, options: &Options) -> Result<Analysis, InputError> {
    let mut analyzer = Analyzer::new(target, options);
    for input in inputs {
        analyzer.begin(input.name);
        analyzer.feed(input.text)?;
        analyzer.end()?;
    }
    Ok(analyzer.finish())
}

/// Analyses inputs as their bytes stream by. For each: [`Analyzer::begin`], [`Analyzer::feed`],
/// [`Analyzer::end`]; then [`Analyzer::finish`].
#[derive(Debug)]
pub struct Analyzer<'t> {
    splitter: Splitter,
    pipeline: Pipeline<'t>,
    pass: Pass<'t>,
    head: Vec<u8>,
    sniffed: bool,
}

#[derive(Debug)]
struct Pass<'t> {
    target: &'t Target,
    options: &'t Options,
    analysis: Analysis,
    memory: Memory,
    /// A COPY that was taken out: its data goes with it.
    open_removal: Option<OpenRemoval>,
    /// Rows of the last COPY decide whether these findings stand: their places in the list.
    waiting_for_rows: Vec<usize>,
    /// The findings of the last COPY, while it has shown no rows.
    rowless: Option<usize>,
    /// The COPY whose rows go by, where they are looked at.
    reading: Option<Reading>,
    /// The part of a cluster dump that the pass is in.
    part: Part,
    /// Databases that were said to be left out.
    reported_databases: BTreeSet<String>,
    failure: Option<InputError>,
    /// Answers of the server that findings share.
    answers: HashSet<ServerError>,
    /// How the last piece ended, and where.
    last: Option<(End, Position)>,
    /// What comments of the dumps allow.
    allowances: Allowances,
    /// A statement that waits for the end of its line, with the white space behind it: a comment may follow there.
    held: Vec<Held>,
}

/// A piece that is kept.
#[derive(Debug)]
struct Held {
    kind: Kind,
    text: Vec<u8>,
    span: Span,
    at: Position,
    end: End,
    standard_strings: bool,
    outcome: Option<Outcome>,
}

impl Held {
    fn new(piece: &Piece<'_>, outcome: Option<Outcome>) -> Self {
        let Piece { kind, text, span, at, end, standard_strings } = *piece;
        Self { kind, text: text.to_owned(), span, at, end, standard_strings, outcome }
    }

    fn piece(&self) -> Piece<'_> {
        let Self { kind, ref text, span, at, end, standard_strings, .. } = *self;
        Piece { kind, text, span, at, end, standard_strings }
    }
}

#[derive(Debug)]
struct OpenRemoval {
    finding: usize,
}

/// A part of a cluster dump: from a `\connect` to the next one, or to the header of the next database.
#[derive(Debug)]
enum Part {
    /// No part of its own, or that of the database that is kept.
    Kept,
    /// Only one database fits the target, and it is not known yet whether this is the one: a part
    /// without objects is no reason to keep it. What was known before it comes back then.
    Undecided(Box<Undecided>),
    /// Another database: nothing of it is looked at.
    LeftOut {
        /// Its place among the parts that are left out.
        index: usize,
        /// Something was said about it.
        reported: bool,
    },
}

#[derive(Debug)]
struct Undecided {
    part: LeftOut,
    facts: Facts,
    memory: Memory,
    findings: usize,
    allowances: usize,
    /// A statement of it is more than a session's setting.
    place: Option<Place>,
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
        let kept_database = options.database.as_deref().map(Into::into);
        let mut facts = Facts { kept_database, ..Facts::default() };
        facts.hypertables.extend(options.hypertables.iter().map(|(schema, name)| {
            crate::facts::ObjectId::new(crate::parse::Class::Relation, Some(schema), name)
        }));
        Self {
            splitter: Splitter::new(),
            pipeline: Pipeline::new(executor),
            pass: Pass {
                target,
                options,
                analysis: Analysis { facts, ..Analysis::default() },
                memory: Memory::default(),
                open_removal: None,
                waiting_for_rows: Vec::new(),
                rowless: None,
                reading: None,
                part: Part::Kept,
                reported_databases: BTreeSet::new(),
                failure: None,
                answers: HashSet::new(),
                last: None,
                allowances: Allowances::default(),
                held: Vec::new(),
            },
            head: Vec::new(),
            sniffed: false,
        }
    }

    /// The next input begins.
    pub fn begin(&mut self, name: &str) {
        self.splitter = Splitter::new();
        self.head.clear();
        self.sniffed = false;
        self.pass.analysis.inputs.push(InputSummary { name: name.to_owned(), ..InputSummary::default() });
        self.pass.analysis.facts.begin_input(name);
        self.pass.open_removal = None;
        self.pass.waiting_for_rows.clear();
        self.pass.rowless = None;
        self.pass.reading = None;
        self.pass.last = None;
        self.pass.allowances.begin_input();
        self.pass.held.clear();
    }

    /// Takes a live server as an input of its own, beside the dumps of it.
    pub fn server(&mut self, server: &Server) {
        self.begin(&server.name);
        let pass = &mut self.pass;
        if let Some(header) = pass.analysis.facts.headers.last_mut() {
            header.server_version = Some(server.version.clone());
        }
        let place = Place { input: pass.input(), statement: 0, span: Span::new(0, 0), line: 0, column: 0 };
        for (rule, check) in rules::of_server() {
            pass.context(rule, Subject::Server { server, place }, check);
        }
    }

    /// Takes the next bytes of the input.
    ///
    /// # Errors
    /// [`InputError`] where the bytes are not those of a dump in text form.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), InputError> {
        if self.sniffed {
            return self.split(chunk);
        }
        self.head.extend_from_slice(chunk);
        if self.head.len() >= crate::input::HEAD { self.open() } else { Ok(()) }
    }

    fn open(&mut self) -> Result<(), InputError> {
        self.sniffed = true;
        let head = std::mem::take(&mut self.head);
        sniff(&head).map_err(|problem| self.pass.error(problem))?;
        self.split(&head)
    }

    fn split(&mut self, chunk: &[u8]) -> Result<(), InputError> {
        let (pass, pipeline) = (&mut self.pass, &mut self.pipeline);
        let mut take = |piece: &Piece<'_>, outcome: Option<Outcome>| pass.take(piece, outcome);
        self.splitter.feed(chunk, &mut |piece| pipeline.push(&piece, &mut take));
        self.pass.failure.take().map_or(Ok(()), Err)
    }

    /// The input has ended.
    ///
    /// # Errors
    /// [`InputError`] where it is empty, cut off, or cannot be analysed safely.
    pub fn end(&mut self) -> Result<(), InputError> {
        if !self.sniffed {
            self.open()?;
        }
        let (pass, pipeline) = (&mut self.pass, &mut self.pipeline);
        let mut take = |piece: &Piece<'_>, outcome: Option<Outcome>| pass.take(piece, outcome);
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
        let Pass { ref mut analysis, ref memory, target, options, .. } = pass;
        for rule in RULES {
            if let Some(finish) = rule.finish {
                finish(&mut Finish {
                    facts: &analysis.facts,
                    target,
                    options,
                    memory,
                    rule,
                    findings: &mut analysis.findings,
                    scripts: &mut analysis.scripts,
                });
            }
        }
        pass.rate();
        let orphans = if rules::ts_04_schema_only::applies(&pass.analysis.facts, pass.options) {
            pass.memory.orphans.runs.as_slice()
        } else {
            &[]
        };
        pass.analysis.plan(orphans);
        pass.analysis
    }
}

impl Analysis {
    /// Turns the solved findings into changes of the inputs.
    fn plan(&mut self, orphans: &[(usize, Span)]) {
        for finding in self.findings.iter().filter(|finding| finding.solved) {
            let Some(fix) = &finding.fix else { continue };
            let Some(input) = self.inputs.get_mut(finding.place.input) else { continue };
            plan_fix(&mut input.planned, finding.rule, fix);
        }
        for LeftOut { input, span, database } in &self.left_out {
            if let Some(input) = self.inputs.get_mut(*input) {
                let rule = rules::db_02_multiple_databases::RULE.id;
                // The title becomes a line of a comment.
                let title = format!("left out: database {}", database.replace(['\n', '\r'], " "));
                input.planned.push(Planned::Remove { span: *span, rule, title });
            }
        }
        for (index, input) in self.inputs.iter_mut().enumerate() {
            if !orphans.is_empty() {
                rules::ts_04_schema_only::plan(orphans, index, &mut input.planned);
            }
            // Statements were planned in their order; additions before a statement stay before its edits.
            order::sort_by_key(&mut input.planned, |planned| (planned.span().start, planned.span().end));
            input.planned.dedup();
        }
    }
}

pub(crate) fn plan_fix(planned: &mut Vec<Planned>, rule: &'static str, fix: &Fix) {
    let lines = |statements: &[String]| statements.join("\n");
    // It becomes a line of a comment, and names in it may hold anything.
    let title = fix.title.replace(['\n', '\r'], " ");
    match &fix.action {
        Action::Remove { span } => planned.push(Planned::Remove { span: *span, rule, title }),
        Action::Edit { edits, .. } => planned.extend(edits.iter().cloned().map(Planned::Replace)),
        Action::Surround { before, after, span } => {
            if !before.is_empty() {
                let text = format!("-- tsmigrate {rule}: {title}\n{}\n", lines(before));
                planned.push(Planned::Replace(Edit::insert(span.start, text)));
            }
            if !after.is_empty() {
                planned.push(Planned::Replace(Edit::insert(span.end, format!("\n{}", lines(after)))));
            }
        }
        Action::Replace { span, with } => {
            planned.push(Planned::Remove { span: *span, rule, title });
            planned.push(Planned::Replace(Edit::insert(span.end, format!("\n{}", lines(with)))));
        }
    }
}

impl Pass<'_> {
    fn error(&self, problem: Problem) -> InputError {
        let name = self.analysis.inputs.last().map_or(String::new(), |input| input.name.clone());
        InputError { input: name, problem }
    }

    fn input(&self) -> usize {
        self.analysis.inputs.len().saturating_sub(1)
    }

    /// The input's name, where it decides anything.
    fn file(&self) -> String {
        match self.analysis.inputs.last() {
            Some(input) if !self.options.leave.is_empty() => input.name.clone(),
            _ => String::new(),
        }
    }

    fn place(&self, piece: &Piece<'_>, statement: u64) -> Place {
        Place {
            input: self.input(),
            statement,
            span: piece.span,
            line: piece.at.line,
            column: piece.at.column,
        }
    }

    /// The next piece. A statement is looked at when its line has ended: what allows a finding may stand there.
    fn take(&mut self, piece: &Piece<'_>, outcome: Option<Outcome>) {
        let ends_line = memchr::memchr(b'\n', piece.text).is_some();
        match piece.kind {
            Kind::Statement if piece.end == End::Complete => {
                self.release(None);
                self.held.push(Held::new(piece, outcome));
            }
            Kind::Blank if !self.held.is_empty() && !ends_line => self.held.push(Held::new(piece, None)),
            Kind::Comment if !self.held.is_empty() => {
                self.release(Some(piece));
                self.piece(piece, None);
            }
            _ => {
                self.release(None);
                let comment = piece.kind == Kind::Comment && allow::is_mentioned(piece.text);
                if comment && !self.is_left_out() {
                    self.comment(&parseable(piece.text), self.place(piece, 0), false);
                }
                let statements = self.analysis.inputs.last().map_or(0, |input| input.statements);
                match piece.kind {
                    Kind::Statement => self.allowances.arrive(statements + 1),
                    Kind::Meta | Kind::Noise => self.allowances.arrive(0),
                    _ => {}
                }
                self.piece(piece, outcome);
                self.allowances.leave();
            }
        }
    }

    /// Looks at the statement that waits. `comment` follows it on its line.
    fn release(&mut self, comment: Option<&Piece<'_>>) {
        for mut held in std::mem::take(&mut self.held) {
            let outcome = held.outcome.take();
            let piece = held.piece();
            if piece.kind != Kind::Statement {
                self.piece(&piece, None);
                continue;
            }
            let number = self.analysis.inputs.last().map_or(0, |input| input.statements + 1);
            self.allowances.arrive(number);
            let comment = comment.filter(|piece| allow::is_mentioned(piece.text) && !self.is_left_out());
            if let Some(comment) = comment {
                self.comment(&parseable(comment.text), self.place(comment, number), true);
            }
            self.piece(&piece, outcome);
            self.allowances.leave();
        }
    }

    /// Takes what a comment allows.
    fn comment(&mut self, text: &str, place: Place, at_hand: bool) {
        let Some(given) = allow::read(text) else { return };
        self.allowances.add(&given, place, text, at_hand);
        self.context(&rules::in_13_allowance::RULE, Subject::Noise { text, place }, |context| {
            rules::in_13_allowance::report(context, &given);
        });
    }

    /// The comments inside of a statement.
    fn inner_comments(&mut self, sql: &str, piece: &Piece<'_>, number: u64) {
        if !allow::is_mentioned(piece.text) {
            return;
        }
        let tokens = Tokens::scan(sql);
        for token in tokens.iter().filter(|token| token.kind == TokenKind::Comment) {
            let at = position(piece.text, piece.at, token.start);
            let place = Place {
                input: self.input(),
                statement: number,
                span: Span::new(token.start as u64, token.end as u64).shifted(piece.span.start),
                line: at.line,
                column: at.column,
            };
            self.comment(token.text(sql), place, true);
        }
    }

    fn piece(&mut self, piece: &Piece<'_>, outcome: Option<Outcome>) {
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
            Kind::CopyData => {
                self.waiting_for_rows.clear();
                self.rowless = None;
                self.extend_removal(piece.span.end);
                self.copy_rows(piece);
                self.analysis.facts.fill();
            }
            Kind::CopyEnd => {
                self.withdraw();
                self.leave_out_without_rows();
                self.extend_removal(piece.span.end);
                self.open_removal = None;
            }
            Kind::Meta => self.meta(piece),
            Kind::Comment => {
                let text = parseable(piece.text);
                if self.analysis.facts.ends_part(&text) {
                    self.end_part();
                }
                self.analysis.facts.comment(&text);
            }
            Kind::Noise if self.is_left_out() => {}
            Kind::Noise => {
                let text = parseable(piece.text);
                let findings = self.check(Subject::Noise { text: &text, place });
                self.settle_whole(findings);
            }
            Kind::Blank => {}
        }
        match &mut self.part {
            Part::Kept => {}
            Part::Undecided(undecided) => undecided.part.span.end = piece.span.end,
            Part::LeftOut { index, .. } => {
                if let Some(left_out) = self.analysis.left_out.get_mut(*index) {
                    left_out.span.end = piece.span.end;
                }
            }
        }
    }

    /// The input ends inside something. Where what was swallowed holds the end mark of the dump, the dump is whole
    /// and the statement is faulty: psql fails on it in the same way.
    fn cut_off(&mut self, piece: &Piece<'_>, open: crate::split::Open) {
        const END_MARK: &[u8] = b"\n-- PostgreSQL database dump complete";
        let is_whole =
            memchr::memmem::find(piece.text, END_MARK).is_some() && open != crate::split::Open::CopyData;
        if !is_whole {
            self.failure = Some(self.error(Problem::CutOff { open, line: piece.at.line }));
            return;
        }
        let number = self.analysis.inputs.last_mut().map_or(0, |input| {
            input.statements += 1;
            input.statements
        });
        if let Some(header) = self.analysis.facts.headers.last_mut() {
            header.completed = header.begun;
        }
        let message = format!("{} that begins in this statement never ends", crate::input::open_words(open));
        let error = ParseError::Syntax { message, near: None };
        let sql = parseable(piece.text);
        let place = self.place(piece, number);
        let findings = self.check(Subject::Unparsed { sql: &sql, error: &error, end: piece.end, place });
        self.settle_whole(findings);
    }

    /// Keeps a finding, in as little memory as it takes.
    fn keep(&mut self, mut finding: Finding) {
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
    fn check(&mut self, subject: Subject<'_>) -> Vec<Finding> {
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
        let number = self.analysis.inputs.last_mut().map_or(0, |input| {
            input.statements += 1;
            input.statements
        });
        self.open_removal = None;
        self.waiting_for_rows.clear();
        self.rowless = None;
        self.reading = None;
        if matches!(self.part, Part::LeftOut { reported: true, .. }) {
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
                self.settle_whole(findings);
            }
            // Nothing to see: no statement, or one in another database's part.
            Ok(None) | Err(_) => {}
        }
    }

    fn parsed(&mut self, statement: &Statement<'_>, tree: &Tree, piece: &Piece<'_>) {
        if let NodeEnum::CopyStmt(copy) = statement.node() {
            self.reading = Reading::of(&self.analysis.facts, copy, statement.place(&statement.range()));
        }
        rules::know_body(&mut self.memory, statement, &tree.parts);
        let findings = self.check(Subject::Statement(statement));
        rules::keep_body(&self.memory, statement, &tree.parts);
        if findings.is_empty() {
            self.analysis.facts.observe(statement, None);
            return;
        }
        let settled = self.settle(statement, &tree.parsed, piece, findings);
        let is_copy_in =
            matches!(statement.node(), NodeEnum::CopyStmt(s) if s.is_from && s.filename.is_empty());
        let first = self.analysis.findings.len();
        let removal = settled.findings.iter().position(|finding| {
            finding.solved
                && matches!(finding.fix.as_ref().map(|fix| &fix.action), Some(Action::Remove { .. }))
        });
        if is_copy_in && let Some(index) = removal {
            self.open_removal = Some(OpenRemoval { finding: first + index });
        }
        self.waiting_for_rows.extend(
            settled.findings.iter().zip(first..).filter(|(f, _)| f.needs_rows).map(|(_, index)| index),
        );
        for finding in settled.findings {
            self.keep(finding);
        }
        self.rowless = is_copy_in.then_some(first);

        for sql in &settled.before {
            self.observe_added(sql, statement);
        }
        match &settled.new {
            Some((text, parsed)) => {
                let place = statement.place(&statement.range());
                let new =
                    Statement::new(text, parsed, place.input, place.statement, place.span.start, piece.at);
                self.analysis.facts.observe(&new, settled.absence.as_ref());
            }
            None => self.analysis.facts.observe(statement, settled.absence.as_ref()),
        }
        for sql in &settled.after {
            self.observe_added(sql, statement);
        }
    }

    /// A statement that a fix adds is a fact too, at the place of the one it was added to.
    fn observe_added(&mut self, sql: &str, near: &Statement<'_>) {
        if let Ok(Some(parsed)) = parse(sql, true) {
            let place = near.place(&near.range());
            let at = crate::text::Position { line: place.line, column: place.column };
            let added = Statement::new(sql, &parsed, place.input, place.statement, place.span.start, at);
            self.analysis.facts.observe(&added, None);
        }
    }

    /// Decides which fixes of a statement are applied, applies edits until nothing more is found, and
    /// proves the result.
    fn settle(
        &mut self,
        statement: &Statement<'_>,
        parsed: &Parsed,
        piece: &Piece<'_>,
        mut findings: Vec<Finding>,
    ) -> Settled {
        let options = self.options;
        let file = self.file();
        let wanted = |finding: &Finding| rewrite::is_wanted(finding, options, &file);
        for finding in &mut findings {
            accept_loss(finding, options, statement.span(&statement.range()));
        }

        // A statement that is taken out needs no other change, and no other finding matters.
        let whole = |finding: &Finding| {
            wanted(finding)
                && matches!(
                    finding.fix.as_ref().map(|fix| &fix.action),
                    Some(Action::Remove { .. } | Action::Replace { .. })
                )
        };
        // What needs an object that will not be there goes, whatever else could be done to it.
        let is_dependent = |finding: &Finding| finding.rule == rules::dep_01_missing_dependency::RULE.id;
        let chosen = findings
            .iter()
            .position(|finding| whole(finding) && is_dependent(finding))
            .or_else(|| findings.iter().position(whole));
        if let Some(index) = chosen {
            let mut finding = findings.swap_remove(index);
            let with = match finding.fix.as_ref().map(|fix| &fix.action) {
                Some(Action::Replace { with, .. }) => with.clone(),
                _ => Vec::new(),
            };
            finding.solved = with.iter().all(|sql| rewrite::is_statement(sql));
            // Taking it out solves the others' errors: the statement would fail all the same.
            if let Some(worse) = findings.iter().find(|other| other.severity == Severity::Error)
                && finding.severity < Severity::Error
            {
                finding.severity = Severity::Error;
                finding.server_error.clone_from(&worse.server_error);
            }
            let present = finding.fix.as_ref().is_some_and(|fix| fix.present);
            let mut absence = (!present).then(|| absence_of(&finding, statement, true));
            // What comes in its place needs the same objects.
            findings.retain(|other| !with.is_empty() && is_dependent(other));
            if let Some(other) = findings.first() {
                absence = Some(absence_of(other, statement, false));
            }
            findings.insert(0, finding);
            return Settled {
                findings,
                new: None,
                before: Vec::new(),
                // What comes in its place may make the same object: it is there after all.
                after: with,
                absence,
            };
        }

        let (mut before, mut after) = (Vec::new(), Vec::new());
        for finding in findings.iter_mut().filter(|finding| wanted(finding)) {
            if let Some(Action::Surround { before: b, after: a, .. }) =
                finding.fix.as_ref().map(|fix| &fix.action)
            {
                finding.solved = b.iter().chain(a).all(|sql| rewrite::is_statement(sql));
                if finding.solved {
                    before.extend(b.iter().cloned());
                    after.extend(a.iter().cloned());
                }
            }
        }
        let new = self.edit(statement, parsed, piece, &mut findings);
        let absence = findings
            .iter()
            .find(|finding| finding.fails() && !finding.solved)
            .map(|finding| absence_of(finding, statement, false));
        Settled { findings, new, before, after, absence }
    }

    /// Applies edit fixes round by round: see the module's head.
    fn edit(
        &mut self,
        statement: &Statement<'_>,
        parsed: &Parsed,
        piece: &Piece<'_>,
        findings: &mut Vec<Finding>,
    ) -> Option<(String, Parsed)> {
        let options = self.options;
        let file = self.file();
        let wanted = |finding: &Finding| rewrite::is_wanted(finding, options, &file);
        let start = piece.span.start;
        let mut text = statement.sql().to_owned();
        let mut current: Option<(String, Parsed)> = None;
        let mut round = findings.clone();
        let mut applied: Vec<Finding> = Vec::new();
        let mut rounds = 0;
        loop {
            let chosen = rewrite::compatible(&round, wanted);
            let edits: Vec<&Edit> = chosen.iter().flat_map(|&index| edits_of(&round[index])).collect();
            let marks: Vec<Finding> = chosen.iter().map(|&index| round[index].clone()).collect();
            if edits.is_empty() {
                // Fixes with nothing to edit are solved by an earlier one.
                mark_solved(findings, &marks);
                break;
            }
            rounds += 1;
            let changes: Vec<_> = marks.iter().flat_map(changes_of).cloned().collect();
            let old = current.as_ref().map_or(parsed, |(_, parsed)| parsed);
            let proof = rewrite::apply(&text, start, &edits)
                // The semicolon is not in the tree, and the next statement needs it.
                .filter(|new| new.trim_end().ends_with(';') == text.trim_end().ends_with(';'))
                .and_then(|new| Some((rewrite::proved(old, &new, piece.standard_strings, &changes)?, new)));
            let Some((new_parsed, new_text)) = proof.filter(|_| rounds <= MAX_ROUNDS) else {
                for finding in findings.iter_mut().filter(|f| marks.iter().any(|m| same(m, f))) {
                    unproved(finding);
                }
                break;
            };
            applied.extend(marks.iter().cloned());
            mark_solved(findings, &marks);
            text.clone_from(&new_text);
            let again = Statement::new(
                &new_text,
                &new_parsed,
                self.input(),
                statement.place(&(0..0)).statement,
                start,
                piece.at,
            );
            let fresh = self.check(Subject::Statement(&again));
            current = Some((new_text, new_parsed));
            // What was found in the first round and cannot be edited is known already.
            round = fresh
                .into_iter()
                .filter(|f| edits_of(f).next().is_some() && !applied.iter().any(|a| same_words(a, f)))
                .collect();
            for finding in &round {
                if !findings.iter().any(|known| same_words(known, finding)) {
                    findings.push(finding.clone());
                }
            }
        }
        if rounds > 1
            && let Some((text, _)) = &current
        {
            one_edit(findings, &applied, piece.span, text);
        }
        current
    }

    /// Meta-commands and stray lines: taken out whole or left.
    fn settle_whole(&mut self, findings: Vec<Finding>) {
        for mut finding in findings {
            let span = finding.place.span;
            accept_loss(&mut finding, self.options, span);
            finding.solved =
                finding.fix.as_ref().is_some_and(|fix| matches!(fix.action, Action::Remove { .. }))
                    && rewrite::is_wanted(&finding, self.options, &self.file());
            self.keep(finding);
        }
    }

    /// Rows of an extension's own tables say what the source is, and some need a change.
    fn copy_rows(&mut self, piece: &Piece<'_>) {
        let Some(mut reader) = self.reading.take() else { return };
        let removed = self.open_removal.is_some();
        reader.feed(piece.text, piece.span.start, piece.at, &mut |row| {
            let findings = if removed { Vec::new() } else { self.check(Subject::Row(&row)) };
            for mut finding in findings {
                finding.solved = rewrite::is_wanted(&finding, self.options, &self.file());
                self.keep(finding);
            }
            self.analysis.facts.take_row(&row);
        });
        self.reading = Some(reader);
    }

    fn meta(&mut self, piece: &Piece<'_>) {
        let text = parseable(piece.text);
        let place = self.place(piece, 0);
        if let Some(database) = crate::input::connect_target(&text) {
            // pg_dump connects again after it has set the properties of the database: the same part.
            let again = matches!(&self.part, Part::Undecided(u) if u.part.database == database);
            if database != "-" && !again {
                self.end_part();
                self.begin_part(&database, place);
            }
            self.analysis.facts.connect(&database, place);
        }
        self.open_removal = None;
        if self.is_left_out() {
            return;
        }
        let first = self.analysis.findings.len();
        let findings = self.check(Subject::Meta { text: &text, place });
        self.settle_whole(findings);
        // The rows of a `\copy … from stdin` go with it.
        let removed = self.analysis.findings.get(first..).into_iter().flatten().position(|f| f.solved);
        self.open_removal = removed.map(|index| OpenRemoval { finding: first + index });
    }

    fn is_left_out(&self) -> bool {
        matches!(self.part, Part::LeftOut { .. })
    }

    fn begin_part(&mut self, database: &str, place: Place) {
        let part = LeftOut { input: place.input, span: place.span, database: database.to_owned() };
        self.part = match &self.analysis.facts.kept_database {
            Some(kept) if **kept == *database => Part::Kept,
            Some(_) => {
                let index = self.analysis.left_out.len();
                self.analysis.left_out.push(part);
                Part::LeftOut { index, reported: false }
            }
            None => Part::Undecided(Box::new(Undecided {
                part,
                facts: self.analysis.facts.clone(),
                memory: self.memory.clone(),
                findings: self.analysis.findings.len(),
                allowances: self.allowances.count(),
                place: None,
            })),
        };
    }

    /// A part that ends without an object of its own is left out: forgets what it said.
    fn end_part(&mut self) {
        let Part::Undecided(undecided) = std::mem::replace(&mut self.part, Part::Kept) else { return };
        let Undecided { part, facts, memory, findings, allowances, place } = *undecided;
        let old = std::mem::replace(&mut self.analysis.facts, facts);
        // Marks of a begin and an end count wherever they stand, and a database was named.
        self.analysis.facts.headers = old.headers;
        self.analysis.facts.databases = old.databases;
        self.memory = memory;
        self.analysis.findings.truncate(findings);
        self.allowances.forget(allowances);
        if let Some(place) = place {
            let draft = rules::db_02_multiple_databases::empty(&part.database);
            self.report_part(Subject::End { place }, draft);
        }
        self.analysis.left_out.push(part);
    }

    fn report_part(&mut self, subject: Subject<'_>, draft: rules::Draft) {
        self.context(&rules::db_02_multiple_databases::RULE, subject, |context| context.report(draft));
    }

    /// Has a rule say something outside of its turn.
    fn context(
        &mut self,
        rule: &'static rules::Rule,
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

    /// Says of all findings what they count as.
    fn rate(&mut self) {
        self.allowances.mark_late(&mut self.analysis.findings);
        let allowances = std::mem::take(&mut self.allowances);
        for unused in allowances.unused() {
            let subject = Subject::Noise { text: unused.comment, place: unused.place };
            self.context(&rules::in_13_allowance::RULE, subject, |context| {
                rules::in_13_allowance::report_unused(context, &unused);
            });
        }
        if self.options.levels.is_empty() {
            return;
        }
        self.analysis.findings.retain(|finding| !self.options.is_off(finding.rule));
        for finding in &mut self.analysis.findings {
            if let Some(severity) = self.options.severity(finding.rule).filter(|s| *s != finding.severity) {
                finding.own_severity = Some(std::mem::replace(&mut finding.severity, severity));
            }
        }
    }

    /// Only one database of a cluster dump fits the target: true where the statement belongs to another.
    fn other_database(&mut self, statement: &Statement<'_>) -> bool {
        let facts = &self.analysis.facts;
        let current = facts.current_database.as_deref().unwrap_or_default();
        // The rows of an extension of such a database (cron.job) are no data of the user's.
        let service = matches!(current, "postgres" | "template1") && !facts.extensions.is_empty();
        let has_content = match statement.node() {
            NodeEnum::CopyStmt(s) => s.is_from && !service,
            NodeEnum::InsertStmt(_) => !service,
            node => objects::is_user_object(node) || matches!(node, NodeEnum::AlterTableStmt(_)),
        };
        match &mut self.part {
            Part::Kept => false,
            Part::Undecided(_) if has_content => {
                self.analysis.facts.kept_database = self.analysis.facts.current_database.clone();
                self.part = Part::Kept;
                false
            }
            Part::Undecided(undecided) => {
                let node = statement.node();
                if !matches!(node, NodeEnum::VariableSetStmt(_) | NodeEnum::SelectStmt(_)) {
                    undecided.place.get_or_insert_with(|| statement.place(&statement.range()));
                }
                false
            }
            Part::LeftOut { reported, .. } => {
                if has_content && !*reported {
                    *reported = true;
                    let current = current.to_owned();
                    if self.reported_databases.insert(current.clone()) {
                        let kept = self.analysis.facts.kept_database.clone().unwrap_or_default();
                        let draft = rules::db_02_multiple_databases::draft(&kept, &current, self.options);
                        self.report_part(Subject::Statement(statement), draft);
                    }
                }
                true
            }
        }
    }

    /// Findings that stand only where a COPY has rows: it has none.
    fn withdraw(&mut self) {
        while let Some(index) = self.waiting_for_rows.pop() {
            self.analysis.findings.remove(index);
            self.open_removal = None;
        }
    }

    /// A COPY without rows that fails may go without a question: nothing is lost with it.
    fn leave_out_without_rows(&mut self) {
        let Some(first) = self.rowless.take() else { return };
        let removable = |finding: &Finding| {
            !finding.solved
                && matches!(
                    &finding.fix,
                    Some(Fix { safety: Safety::Review, action: Action::Remove { .. }, .. })
                )
        };
        let Some(index) = (first..self.analysis.findings.len())
            .find(|index| self.analysis.findings.get(*index).is_some_and(removable))
        else {
            return;
        };
        let mut finding = self.analysis.findings.swap_remove(index);
        self.analysis.findings.truncate(first);
        finding.solved = true;
        if let Some(fix) = &mut finding.fix {
            fix.safety = Safety::Safe;
            fix.lost = None;
        }
        self.analysis.findings.push(finding);
        self.open_removal = Some(OpenRemoval { finding: first });
    }

    fn extend_removal(&mut self, end: u64) {
        if let Some(OpenRemoval { finding }) = self.open_removal {
            self.extend_finding(finding, end);
        }
    }

    fn extend_finding(&mut self, index: usize, end: u64) {
        if let Some(Fix { action: Action::Remove { span }, .. }) =
            self.analysis.findings.get_mut(index).and_then(|finding| finding.fix.as_mut())
        {
            span.end = span.end.max(end);
        }
    }

    fn end_input(&mut self) -> Result<(), InputError> {
        self.end_part();
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
            return Err(self.error(Problem::CutOff { open: crate::split::Open::Parenthesis, line }));
        }
        let findings = self.check(Subject::End { place });
        self.settle_whole(findings);
        Ok(())
    }
}

#[derive(Debug)]
struct Settled {
    findings: Vec<Finding>,
    new: Option<(String, Parsed)>,
    before: Vec<String>,
    after: Vec<String>,
    absence: Option<Absence>,
}

/// An error without a fix, of a rule whose losses are accepted: the statement is taken out.
fn accept_loss(finding: &mut Finding, options: &Options, whole: Span) {
    if finding.fails()
        && finding.fix.is_none()
        && (options.accepts(finding.rule, finding.name) || rewrite::root_is_accepted(finding, options))
    {
        finding.fix = Some(Fix {
            title: "left out: its loss was accepted".into(),
            safety: Safety::Review,
            present: false,
            action: Action::Remove { span: whole },
            lost: Some(finding.object.clone().unwrap_or_else(|| "this statement".into())),
        });
    }
}

fn absence_of(finding: &Finding, statement: &Statement<'_>, removed: bool) -> Absence {
    let root = finding.related.first().and_then(|related| {
        let (id, rest) = related.message.strip_prefix('[')?.split_once(']')?;
        Some((rules::rule(id)?.id, rest.trim().to_owned(), related.place))
    });
    let (rule, root, place) = root.unwrap_or_else(|| {
        let root = finding.object.clone().unwrap_or_else(|| "a statement that fails".into());
        (finding.rule, root, statement.place(&statement.range()))
    });
    Absence {
        rule,
        root,
        place,
        removed,
        safety: finding.fix.as_ref().map_or(Safety::None, |fix| fix.safety),
    }
}

fn edits_of(finding: &Finding) -> impl Iterator<Item = &Edit> {
    let edits = match finding.fix.as_ref().map(|fix| &fix.action) {
        Some(Action::Edit { edits, .. }) => edits.as_slice(),
        _ => &[],
    };
    edits.iter()
}

fn changes_of(finding: &Finding) -> &[crate::parse::Change] {
    match finding.fix.as_ref().map(|fix| &fix.action) {
        Some(Action::Edit { changes, .. }) => changes,
        _ => &[],
    }
}

fn same(a: &Finding, b: &Finding) -> bool {
    a.rule == b.rule && a.place == b.place && a.message == b.message
}

/// The same finding in an earlier or later round: places move with the edits.
fn same_words(a: &Finding, b: &Finding) -> bool {
    a.rule == b.rule && a.message == b.message
}

fn mark_solved(findings: &mut [Finding], marks: &[Finding]) {
    for finding in findings {
        finding.solved |= marks.iter().any(|mark| same_words(mark, finding));
    }
}

fn unproved(finding: &mut Finding) {
    finding.fix = None;
    finding.solved = false;
    finding.advice = Some(
        "A rewrite was tried, but its result could not be proved to differ by exactly the intended part, so it \
         is not applied. Change the statement by hand, and please report this statement."
            .into(),
    );
}

/// Edits of several rounds count bytes of different texts: they become one edit of the whole statement.
fn one_edit(findings: &mut [Finding], applied: &[Finding], span: Span, text: &str) {
    let mut first = true;
    for finding in findings.iter_mut().filter(|f| applied.iter().any(|a| same_words(a, f))) {
        if let Some(Fix { action: Action::Edit { edits, .. }, .. }) = &mut finding.fix {
            *edits = if std::mem::take(&mut first) { vec![Edit::replace(span, text)] } else { Vec::new() };
        }
    }
}

/// How many findings there are of each severity.
#[must_use]
pub fn counts(findings: &[Finding]) -> BTreeMap<Severity, usize> {
    let mut counts = BTreeMap::new();
    for finding in findings {
        *counts.entry(finding.severity).or_insert(0) += 1;
    }
    counts
}
