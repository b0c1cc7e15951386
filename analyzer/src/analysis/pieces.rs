//! The pieces of an input in their order: each is checked by the rules, and a statement is kept as facts.

use super::census;
use super::row_bytes::RowBytes;
use super::sections::may_matter;
use super::state::{CopyState, DatabaseSection, Pass};
use super::statement::accept_loss;
use crate::batches::{ParseOutcome, Tree, read};
use crate::edit::Fix;
use crate::facts::rows::RowReader;
use crate::facts::{Encoding, Header, Session, Transaction};
use crate::finding::Place;
use crate::input::{InputError, Problem};
use crate::locate::Statement;
use crate::parse::{NodeEnum, ParseError, parse};
use crate::rewrite;
use crate::rule::{Finding, Subject, Unjudged};
use crate::rules;
use crate::split::{End, Kind, Open, Piece};
use crate::text::{Position, Span, parseable, position};

impl Pass<'_> {
    /// Takes a piece whose comments have been read.
    pub(super) fn piece(&mut self, piece: &Piece<'_>, outcome: Option<ParseOutcome>) {
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
        if piece.kind != Kind::CopyData {
            self.look_at_bytes(piece);
        }
        match piece.kind {
            Kind::Statement => self.statement(piece, outcome),
            Kind::CopyData => {
                self.copy_rows(piece);
                self.look_at_bytes(piece);
            }
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
                self.keep_whole(findings, place.span);
            }
            Kind::Blank => {}
        }
        self.extend_section(piece);
    }

    /// The input ends inside something. Where what was swallowed holds the end mark of the dump, the dump is whole
    /// and the statement is faulty: psql fails on it in the same way.
    fn cut_off(&mut self, piece: &Piece<'_>, open: Open) {
        const END_MARK: &[u8] = b"\n-- PostgreSQL database dump complete";
        let is_whole = memchr::memmem::find(piece.text, END_MARK).is_some() && open != Open::CopyData;
        if !is_whole {
            // Of rows, what is left at the end of the input is only the last of them.
            let line = if open == Open::CopyData { self.copy.line } else { piece.at.line };
            self.failure = Some(self.error(Problem::CutOff { open, line }));
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
        self.keep_whole(findings, place.span);
    }

    fn statement(&mut self, piece: &Piece<'_>, outcome: Option<ParseOutcome>) {
        let number = self.next_statement();
        self.copy = CopyState { line: piece.at.line, ..CopyState::default() };
        if matches!(self.section, DatabaseSection::LeftOut { reported: true, .. }) && !may_matter(piece.text)
        {
            return;
        }
        let sql = parseable(piece.text);
        if !self.is_left_out() {
            self.inner_comments(&sql, piece, number);
        }
        match outcome.unwrap_or_else(|| read(&sql, piece.standard_strings)) {
            Ok(Some(tree)) => {
                let statement = Statement::new(
                    &sql,
                    &tree.parsed,
                    self.input(),
                    Place::number(number),
                    piece.span.start,
                    piece.at,
                );
                if let Some(database) = self.analysis.facts.current_database.as_deref() {
                    census::take(&mut self.analysis.databases, database, statement.node());
                }
                let section = self.leave_section(&statement);
                if !self.other_database(&statement) {
                    self.parsed(&statement, &tree, piece);
                }
                if let Some(database) = section {
                    let end = Span::new(piece.span.end, piece.span.end);
                    self.begin_section(&database, Place { span: end, ..self.place(piece, number) });
                }
            }
            Err(error) => {
                let place = self.place(piece, number);
                if self.unparsed_of_other_database(place) {
                    return;
                }
                let findings =
                    self.check(Subject::Unparsed { sql: &sql, error: &error, end: piece.end, place });
                let first = self.analysis.findings.len();
                self.keep_whole(findings, place.span);
                if matches!(error, ParseError::TooLarge | ParseError::TooDeep) {
                    self.not_judged(Unjudged::Size, place);
                    // What it creates is not known.
                    self.analysis.facts.dynamic = true;
                }
                let found = self.analysis.findings.get(first..).unwrap_or_default();
                // The rows of a COPY that does not parse go with it.
                self.copy.removal =
                    found.iter().position(|finding| finding.solved).map(|index| first + index);
                if found.iter().any(|finding| finding.fails() && !finding.solved) {
                    // The server does not take it, either.
                    self.analysis.facts.transaction.fail(place);
                }
            }
            // No statement.
            Ok(None) => {}
        }
    }

    fn parsed(&mut self, statement: &Statement<'_>, tree: &Tree, piece: &Piece<'_>) {
        if let NodeEnum::CopyStmt(copy) = statement.node() {
            self.copy.bytes = RowBytes::of(&self.analysis.facts, copy);
            self.copy.reader = RowReader::of(&self.analysis.facts, copy, statement.place(&statement.range()));
        }
        rules::know_body(&mut self.states, statement, &tree.parts);
        if self.refused_by_transaction(statement) {
            self.copy.reader = None;
            self.copy.bytes.settled = true;
            return;
        }
        if crate::body::is_too_large(statement.node()) {
            self.not_judged(Unjudged::Size, statement.place(&statement.range()));
        }
        self.remember_for_rollback(statement);
        let mut findings = self.check(Subject::Statement(statement));
        rules::keep_body(&self.states, statement, &tree.parts);
        self.refused_until_rewritten(statement, &mut findings);
        if findings.is_empty() {
            self.note_unjudged(statement);
            self.in_transaction(statement, &[]);
            self.analysis.facts.observe(statement, None);
            return;
        }
        let result = self.statement_result(statement, &tree.parsed, piece, findings);
        let fails = result.findings.iter().any(|finding| finding.fails() && !finding.solved);
        let removed =
            |finding: &Finding| finding.solved && finding.fix.as_deref().is_some_and(Fix::removes_statement);
        if !fails && !result.findings.iter().any(removed) {
            self.note_unjudged(statement);
        }
        self.in_transaction(statement, &result.findings);
        let is_copy_in =
            matches!(statement.node(), NodeEnum::CopyStmt(s) if s.is_from && s.filename.is_empty());
        let first = self.analysis.findings.len();
        let removal = result
            .findings
            .iter()
            .position(|finding| finding.solved && finding.fix.as_deref().is_some_and(Fix::only_removes));
        if is_copy_in && let Some(index) = removal {
            self.copy.removal = Some(first + index);
        }
        self.copy.needs_rows.extend(
            result.findings.iter().zip(first..).filter(|(f, _)| f.needs_rows).map(|(_, index)| index),
        );
        let is_text = std::str::from_utf8(piece.text).is_ok();
        for mut finding in result.findings {
            if let Some(error) = finding.server_error.as_mut().filter(|_| !is_text) {
                error.compare_name(piece.text);
            }
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
            // Refused, it has moved nothing.
            None if fails && moves(statement.node()) => {}
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
            rules::dependency::order::created(&self.analysis.facts, &mut self.states, &added);
            self.analysis.facts.observe(&added, None);
        }
    }

    /// Keeps findings about a piece that is removed whole or left: a statement that does not parse, a meta-command, a stray
    /// line.
    fn keep_whole(&mut self, findings: Vec<Finding>, whole: Span) {
        for mut finding in findings {
            accept_loss(&mut finding, self.options, &self.file(), whole);
            finding.solved = finding.fix.as_deref().is_some_and(Fix::removes_statement)
                && rewrite::is_wanted(&finding, self.options, &self.file());
            self.keep(finding);
        }
    }

    fn meta(&mut self, piece: &Piece<'_>) {
        let text = parseable(piece.text);
        let place = self.place(piece, 0);
        let mut before = None;
        if let Some(database) = crate::input::connect_target(&text) {
            if self.begins_section(&database) {
                self.end_section();
                self.begin_section(&database, place);
            }
            let facts = &mut self.analysis.facts;
            before = (database != "-").then(|| (facts.session.clone(), facts.transaction.clone()));
            facts.connect(&database, place);
        }
        if let Some(encoding) = text.strip_prefix("\\encoding ") {
            self.analysis.facts.session.set_encoding(Encoding::named(encoding.trim()));
        }
        self.copy.removal = None;
        let matters = rules::input::in_11_unexpected_meta_command::matters(&text);
        if matters && self.unparsed_of_other_database(place) || self.is_left_out() {
            self.connected(before, true);
            return;
        }
        let first = self.analysis.findings.len();
        let findings = self.check(Subject::Meta { text: &text, place });
        self.keep_whole(findings, place.span);
        // The rows of a `\copy … from stdin` go with it.
        let removed = self.analysis.findings.get(first..).into_iter().flatten().position(|f| f.solved);
        self.copy.removal = removed.map(|index| first + index);
        self.connected(before, removed.is_some());
    }

    /// A `\connect` has been looked at: what was known before it of the session and its transaction.
    fn connected(&mut self, before: Option<(Session, Transaction)>, removed: bool) {
        let Some((session, transaction)) = before else { return };
        let new = std::mem::replace(&mut self.analysis.facts.session, session);
        self.analysis.facts.transaction = transaction;
        // Without the \connect it is the same session. Else the server rolls back what was not committed.
        if !removed {
            self.end_transaction(true);
            self.analysis.facts.drop_temporary();
            self.analysis.facts.session = new;
        }
        self.analysis.facts.refresh_path();
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
        let holds_none = |header: &Header| header.begun == 0 && !header.rewritten;
        if statements == 0 && self.analysis.facts.headers.last().is_none_or(holds_none) {
            return Err(self.error(Problem::NoStatement));
        }
        let header = self.analysis.facts.headers.last().cloned().unwrap_or_default();
        let place = Place { input: self.input(), statement: 0, span: Span::new(bytes, bytes), line, column };
        // A last statement without its semicolon is fine by itself; in a dump that lacks its end mark,
        // and where the parser missed the rest, the file was cut off.
        let broken = self.analysis.findings.last().is_some_and(|finding| {
            finding.place.input == self.input()
                && finding.place.statement == Place::number(statements)
                && finding.rule.id == "IN-10"
        });
        if end == End::InputEnded && broken && header.completed < header.begun {
            let line = self.copy.line;
            return Err(self.error(Problem::CutOff { open: Open::Parenthesis, line }));
        }
        let findings = self.check(Subject::End { place });
        self.keep_whole(findings, place.span);
        self.end_transaction(true);
        Ok(())
    }
}

/// True for a statement that gives what exists another name or schema.
fn moves(node: &NodeEnum) -> bool {
    matches!(node, NodeEnum::RenameStmt(_) | NodeEnum::AlterObjectSchemaStmt(_))
}
