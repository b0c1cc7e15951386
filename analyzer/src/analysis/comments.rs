//! Comments of a dump that allow findings. One may follow a statement on its line, so a statement is held until its line
//! has ended.

use super::state::{HeldPiece, Pass};
use crate::allow;
use crate::batches::ParseOutcome;
use crate::finding::Place;
use crate::parse::{TokenKind, Tokens};
use crate::rule::Subject;
use crate::rules;
use crate::split::{End, Kind, Piece};
use crate::text::{Span, parseable, position};

impl Pass<'_> {
    /// Takes the next piece.
    pub(super) fn take(&mut self, piece: &Piece<'_>, outcome: Option<ParseOutcome>) {
        let ends_line = memchr::memchr(b'\n', piece.text).is_some();
        match piece.kind {
            Kind::Statement if piece.end == End::Complete => {
                self.release(None);
                self.held.push(HeldPiece::new(piece, outcome));
            }
            Kind::Blank if !self.held.is_empty() && !ends_line => self.held.push(HeldPiece::new(piece, None)),
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

    /// Has the held statement checked. `comment` follows it on its line.
    pub(super) fn release(&mut self, comment: Option<&Piece<'_>>) {
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

    /// Reads a comment. `at_hand` says that it is for the statement at hand, and not for the next one.
    fn comment(&mut self, text: &str, place: Place, at_hand: bool) {
        let Some(given) = allow::read(text) else { return };
        self.allowances.add(&given, place, text, at_hand);
        self.context(&rules::input::in_13_allowance::RULE, Subject::Noise { text, place }, |context| {
            rules::input::in_13_allowance::report(context, &given);
        });
    }

    /// Reads the comments inside of a statement.
    pub(super) fn inner_comments(&mut self, sql: &str, piece: &Piece<'_>, number: u64) {
        if !allow::is_mentioned(piece.text) {
            return;
        }
        let tokens = Tokens::scan(sql);
        for token in tokens.iter().filter(|token| token.kind == TokenKind::Comment) {
            let at = position(piece.text, piece.at, token.start);
            let place = Place {
                input: self.input(),
                statement: Place::number(number),
                span: Span::new(token.start as u64, token.end as u64).shifted(piece.span.start),
                line: at.line,
                column: at.column,
            };
            self.comment(token.text(sql), place, true);
        }
    }
}
