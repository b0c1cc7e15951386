//! The bytes of statements and rows: what is no text in the encoding of the session, and what cannot be judged for it.

use super::row_bytes::sequence;
use super::state::Pass;
use crate::facts::Encoding;
use crate::finding::Place;
use crate::rule::{Subject, Unjudged};
use crate::rules::input::in_08_encoding::{self as in_08, InvalidBytes};
use crate::rules::input::in_18_row_columns as in_18;
use crate::split::{Kind, Piece};
use crate::text::{Position, Span, position};

impl Pass<'_> {
    /// Notes what is not judged.
    pub(super) fn not_judged(&mut self, what: Unjudged, place: Place) {
        self.states.of::<crate::rule::NotJudgedList>().add(what, place);
    }

    /// Looks at the bytes of a piece before it is read.
    pub(super) fn look_at_bytes(&mut self, piece: &Piece<'_>) {
        if self.is_left_out() {
            return;
        }
        if let Some(at) = memchr::memchr(0, piece.text) {
            let number = if piece.kind == Kind::CopyData { self.number() } else { 0 };
            self.not_judged(Unjudged::NulByte, self.byte(piece, number, at));
        }
        match piece.kind {
            Kind::Statement => self.statement_bytes(piece),
            Kind::CopyData => self.row_bytes(piece),
            _ => {}
        }
    }

    /// The number of the last statement.
    fn number(&self) -> u64 {
        self.analysis.inputs.last().map_or(0, |input| input.statements)
    }

    /// The place of one byte of rows: the same wherever a chunk ends.
    fn byte(&self, piece: &Piece<'_>, number: u64, at: usize) -> Place {
        let Position { line, column } = position(piece.text, piece.at, at);
        let start = piece.span.start + at as u64;
        Place { span: Span::new(start, start + 1), line, column, ..self.place(piece, number) }
    }

    /// True where the bytes have to be UTF-8. What cannot be judged is noted.
    fn has_to_be_utf8(&mut self, encoding: Encoding, place: Place) -> bool {
        match encoding {
            Encoding::Checked | Encoding::Stored => true,
            Encoding::Undeclared => {
                self.not_judged(Unjudged::Encoding, place);
                true
            }
            Encoding::Converted => false,
            Encoding::MayFail => {
                self.not_judged(Unjudged::Conversion, place);
                false
            }
        }
    }

    fn statement_bytes(&mut self, piece: &Piece<'_>) {
        *self.states.of::<Option<InvalidBytes>>() = None;
        if piece.text.is_ascii() {
            return;
        }
        let number = self.number() + 1;
        let encoding = self.analysis.facts.session.now.encoding;
        if self.has_to_be_utf8(encoding, self.place(piece, number))
            && let Err(error) = std::str::from_utf8(piece.text)
        {
            let at = error.valid_up_to();
            let invalid = InvalidBytes { at, bytes: sequence(piece.text, at) };
            *self.states.of() = Some(invalid);
        }
    }

    fn row_bytes(&mut self, piece: &Piece<'_>) {
        let number = self.number();
        if let Some(at) = self.copy.bytes.writes_byte(piece.text) {
            self.not_judged(Unjudged::Escapes, self.byte(piece, number, at));
        }
        if self.copy.bytes.settled {
            return;
        }
        let encoding = self.copy.bytes.encoding.unwrap_or(self.analysis.facts.session.now.encoding);
        // A byte of a character in another encoding may be that of a backslash.
        let fault = match encoding {
            Encoding::Converted => None,
            _ => self.copy.bytes.shape.fault(piece.text),
        };
        let invalid = self.invalid_bytes(piece, encoding, number);
        let (at, length, rule, draft) = match (fault, invalid) {
            (Some((at, fault)), invalid) if invalid.as_ref().is_none_or(|(other, _)| at < *other) => {
                let columns = self.copy.bytes.shape.columns.len();
                (at, 1, &in_18::RULE, in_18::refused(&fault, columns, self.target.version))
            }
            (_, Some((at, bytes))) => {
                let length = bytes.len() as u64;
                (at, length, &in_08::RULE, in_08::invalid(&InvalidBytes { at, bytes }, encoding, true))
            }
            _ => return,
        };
        self.copy.bytes.settled = true;
        let first = self.byte(piece, number, at);
        let fails = |finding: &crate::rule::Finding| finding.fails() && !finding.solved;
        let own = self
            .analysis
            .findings
            .iter()
            .rev()
            .take_while(|f| f.place.statement == Place::number(number) && f.place.input == first.input);
        if self.copy.removal.is_some() || own.clone().any(|other| other.place < first && fails(other)) {
            return;
        }
        let place = Place { span: Span::new(first.span.start, first.span.start + length), ..first };
        let before = self.analysis.findings.len();
        self.context(rule, Subject::End { place }, |context| context.report(draft));
        let findings = &mut self.analysis.findings;
        if before < findings.len() {
            // Rows of the same piece may stand behind it: findings are in order wherever a chunk ends.
            let found = findings.remove(before);
            let at = findings.iter().rposition(|other| other.place <= place).map_or(0, |at| at + 1);
            findings.insert(at, found);
        }
        if *rule != in_08::RULE || encoding != Encoding::Stored {
            self.analysis.facts.transaction.fail(place);
        }
    }

    /// The first bytes of rows that have to be UTF-8 and are none.
    fn invalid_bytes(
        &mut self,
        piece: &Piece<'_>,
        encoding: Encoding,
        number: u64,
    ) -> Option<(usize, Vec<u8>)> {
        if self.copy.bytes.cut.is_empty() && piece.text.is_ascii() {
            return None;
        }
        // Rows may be large: the byte is looked for only where its place is noted.
        let place = match encoding {
            Encoding::Checked | Encoding::Stored | Encoding::Converted => self.place(piece, number),
            Encoding::Undeclared | Encoding::MayFail => {
                let other = piece.text.iter().position(|byte| !byte.is_ascii());
                self.byte(piece, number, other.unwrap_or(0))
            }
        };
        if !self.has_to_be_utf8(encoding, place) {
            return None;
        }
        self.copy.bytes.invalid(piece.text)
    }
}
