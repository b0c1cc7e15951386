//! What can be done with pieces before the pieces ahead of them are known: copying and parsing. Statements
//! are gathered into batches, and a batch may be parsed by another thread while rules look at the one before.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::body::BodyPart;
use crate::parse::{ParseError, Parsed, parse};
use crate::split::{End, Kind, Piece};
use crate::text::{Position, Span, parseable};

/// What is made of a statement's text alone. Places in it count from the statement's first byte, so that it holds
/// wherever the statement stands, and in the next check of the same text.
#[derive(Debug)]
pub struct Tree {
    /// The parse tree.
    pub parsed: Parsed,
    /// The SQL in its body, once a rule has asked for it.
    pub(crate) parts: OnceLock<Arc<Vec<BodyPart>>>,
}

/// A statement's tree, or why it has none.
pub type ParseOutcome = Result<Option<Arc<Tree>>, ParseError>;

/// Reads one statement: see [`parse`].
///
/// # Errors
/// Where it has no tree.
pub fn read(sql: &str, standard_strings: bool) -> ParseOutcome {
    let Some(parsed) = parse(sql, standard_strings)? else { return Ok(None) };
    // Rules ask for them with every statement.
    parsed.references();
    Ok(Some(Arc::new(Tree { parsed, parts: OnceLock::new() })))
}

/// A batch is given away when it holds so many bytes: trees take many times the memory of their text.
const BATCH: usize = 8 << 10;

/// Rows of COPY data up to this length are copied along with the statements; longer runs are looked at in place.
const SHORT_ROWS: usize = 8 << 10;

/// Some pieces in their order, to be parsed. Made by the analyzer, parsed wherever [`Executor`] says.
#[derive(Debug, Default)]
pub struct Batch {
    text: Vec<u8>,
    pieces: Vec<BatchedPiece>,
}

#[derive(Debug)]
struct BatchedPiece {
    kind: Kind,
    text: Range<usize>,
    span: Span,
    at: Position,
    end: End,
    standard_strings: bool,
    outcome: Option<ParseOutcome>,
}

impl Batch {
    fn push(&mut self, piece: &Piece<'_>) {
        let start = self.text.len();
        self.text.extend_from_slice(piece.text);
        let Piece { kind, span, at, end, standard_strings, .. } = *piece;
        let text = start..self.text.len();
        self.pieces.push(BatchedPiece { kind, text, span, at, end, standard_strings, outcome: None });
    }

    /// Parses every statement of it. The thread needs [`crate::parse::STACK`] bytes of stack.
    pub fn parse(&mut self) {
        self.parse_by(read);
    }

    /// Has every statement of it read.
    pub(crate) fn parse_by(&mut self, mut read: impl FnMut(&str, bool) -> ParseOutcome) {
        for piece in &mut self.pieces {
            if piece.kind == Kind::Statement && !matches!(piece.end, End::CutOff(_)) {
                let sql = parseable(self.text.get(piece.text.clone()).unwrap_or_default());
                piece.outcome = Some(read(&sql, piece.standard_strings));
            }
        }
    }

    /// Gives out the pieces with what was parsed of them.
    pub(crate) fn each(self, mut take: impl FnMut(&Piece<'_>, Option<ParseOutcome>)) {
        for batched in self.pieces {
            let BatchedPiece { kind, text, span, at, end, standard_strings, outcome } = batched;
            let text = self.text.get(text).unwrap_or_default();
            take(&Piece { kind, text, span, at, end, standard_strings }, outcome);
        }
    }
}

/// What parses batches.
pub trait Executor {
    /// Takes a batch to be parsed ([`Batch::parse`]) and returns how to get it back, waiting where it is not done.
    fn submit(&self, batch: Batch) -> Box<dyn FnOnce() -> Batch>;

    /// How many batches may be under way at once.
    fn depth(&self) -> usize;
}

/// Parses each batch where it is asked for: no other thread takes part.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inline;

impl Executor for Inline {
    fn submit(&self, mut batch: Batch) -> Box<dyn FnOnce() -> Batch> {
        Box::new(move || {
            batch.parse();
            batch
        })
    }

    fn depth(&self) -> usize {
        0
    }
}

/// The batches between the splitter and the rules.
pub(crate) struct Pipeline<'t> {
    executor: &'t dyn Executor,
    open: Batch,
    under_way: VecDeque<Box<dyn FnOnce() -> Batch>>,
}

impl fmt::Debug for Pipeline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").field("under_way", &self.under_way.len()).finish_non_exhaustive()
    }
}

impl<'t> Pipeline<'t> {
    pub(crate) fn new(executor: &'t dyn Executor) -> Self {
        Self { executor, open: Batch::default(), under_way: VecDeque::new() }
    }

    /// Takes the next piece, and gives out pieces, this one or earlier ones, in their order.
    pub(crate) fn push(&mut self, piece: &Piece<'_>, take: &mut dyn FnMut(&Piece<'_>, Option<ParseOutcome>)) {
        if piece.kind == Kind::CopyData && piece.text.len() > SHORT_ROWS {
            self.flush(take);
            take(piece, None);
            return;
        }
        self.open.push(piece);
        if self.open.text.len() >= BATCH {
            self.submit();
            while self.under_way.len() > self.executor.depth() {
                self.next(take);
            }
        }
    }

    /// Gives out all that is held.
    pub(crate) fn flush(&mut self, take: &mut dyn FnMut(&Piece<'_>, Option<ParseOutcome>)) {
        if !self.open.pieces.is_empty() {
            self.submit();
        }
        while !self.under_way.is_empty() {
            self.next(take);
        }
    }

    fn submit(&mut self) {
        let batch = std::mem::take(&mut self.open);
        self.under_way.push_back(self.executor.submit(batch));
    }

    fn next(&mut self, take: &mut dyn FnMut(&Piece<'_>, Option<ParseOutcome>)) {
        if let Some(wait) = self.under_way.pop_front() {
            wait().each(take);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::Splitter;

    /// Takes any number of batches before it gives one back.
    struct Late;

    impl Executor for Late {
        fn submit(&self, mut batch: Batch) -> Box<dyn FnOnce() -> Batch> {
            batch.parse();
            Box::new(move || batch)
        }

        fn depth(&self) -> usize {
            usize::MAX
        }
    }

    fn through(executor: &dyn Executor, text: &[u8]) -> Vec<(Kind, Vec<u8>, bool)> {
        let mut out = Vec::new();
        let mut take = |piece: &Piece<'_>, outcome: Option<ParseOutcome>| {
            out.push((piece.kind, piece.text.to_vec(), outcome.is_some()));
        };
        let mut pipeline = Pipeline::new(executor);
        let mut splitter = Splitter::new();
        splitter.feed(text, &mut |piece| pipeline.push(&piece, &mut take));
        splitter.finish(&mut |piece| pipeline.push(&piece, &mut take));
        pipeline.flush(&mut take);
        out
    }

    #[test]
    fn pieces_come_out_as_they_went_in() {
        let rows = "1\tone\n".repeat(10_000);
        let statements = "SELECT 1; -- one\n".repeat(5_000);
        let text =
            format!("{statements}COPY t FROM stdin;\n{rows}\\.\n{statements}\\connect x\nSELECT 'open");
        let expected: Vec<_> = crate::split::split(text.as_bytes())
            .iter()
            .filter(|piece| piece.kind != Kind::CopyData)
            .map(|piece| {
                let parsed = piece.kind == Kind::Statement && !matches!(piece.end, End::CutOff(_));
                (piece.kind, piece.text.to_vec(), parsed)
            })
            .collect();
        for executor in [&Inline as &dyn Executor, &Late] {
            let out = through(executor, text.as_bytes());
            let data: Vec<u8> = out
                .iter()
                .filter(|(kind, ..)| *kind == Kind::CopyData)
                .flat_map(|(_, t, _)| t.clone())
                .collect();
            assert_eq!(data, rows.as_bytes());
            let others: Vec<_> = out.into_iter().filter(|(kind, ..)| *kind != Kind::CopyData).collect();
            assert_eq!(others, expected);
        }
    }
}
