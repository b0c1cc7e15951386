//! Dump text in, pieces that tile it exactly out: the rules psql follows when it reads a file.
//!
//! Fed in chunks of any size; memory is bounded by the largest statement (COPY data passes through in chunks).

mod lexer;
mod meta;
mod noise;
mod piece;
mod settings;
#[cfg(test)]
mod tests;
mod words;

pub use self::piece::{End, Kind, Open, Piece};

use self::lexer::{Lexer, Mode, State};
use self::words::Words;
use crate::text::Position;

/// Cuts a dump into pieces.
///
/// ```
/// use tsmigrate_analyzer::split::{Kind, Splitter};
///
/// let mut kinds = Vec::new();
/// let mut splitter = Splitter::new();
/// for chunk in [&b"COPY t FROM st"[..], b"din;\n1\n2\n\\.\nSELECT ';' "] {
///     splitter.feed(chunk, &mut |piece| kinds.push(piece.kind));
/// }
/// splitter.finish(&mut |piece| kinds.push(piece.kind));
/// assert_eq!(
///     kinds,
///     [Kind::Statement, Kind::Blank, Kind::CopyData, Kind::CopyEnd, Kind::Statement, Kind::Blank]
/// );
/// ```
#[derive(Debug)]
pub struct Splitter {
    /// The bytes of the open piece, carried from one chunk to the next.
    held: Vec<u8>,
    state: State,
}

impl Default for Splitter {
    fn default() -> Self {
        Self::new()
    }
}

impl Splitter {
    /// A statement longer than this, in bytes, is given out in parts as it is ([`End::Broken`]):
    /// PostgreSQL takes no query of 1 GB or more (`MaxAllocSize`, memutils.h).
    pub const MAX_STATEMENT: usize = 256 << 20;

    /// A splitter at the start of an input.
    #[must_use]
    pub fn new() -> Self {
        Self::with_longest(Self::MAX_STATEMENT)
    }

    fn with_longest(longest: usize) -> Self {
        let state = State {
            offset: 0,
            at: Position { line: 1, column: 1 },
            line_start: true,
            after_noise: false,
            open: None,
            mode: Mode::Top,
            scanned: 0,
            mark: 0,
            token_end: 0,
            last_string: None,
            cut: false,
            words: Words::default(),
            tag: Vec::new(),
            standard_strings: true,
            copies: 0,
            resume: Mode::Top,
            mid_row: false,
            longest,
        };
        Self { held: Vec::new(), state }
    }

    /// Takes the next bytes of the input and gives every piece that they complete to `sink`.
    pub fn feed(&mut self, chunk: &[u8], sink: &mut dyn FnMut(Piece<'_>)) {
        let mut chunk = chunk;
        while !self.held.is_empty() && !chunk.is_empty() {
            // Only the row at hand is copied, the rest of the chunk can be lent out; and of other text a little at a time, for
            // the chunk may be a whole dump.
            let needed = match self.state.mode {
                Mode::Rows => memchr::memchr(b'\n', chunk).map_or(chunk.len(), |newline| newline + 1),
                _ => chunk.len().min(Self::COPIED),
            };
            let (first, rest) = chunk.split_at_checked(needed).unwrap_or((chunk, &[]));
            self.held.extend_from_slice(first);
            let given = Lexer::new(&mut self.state, &self.held, false, &mut |piece| sink(piece)).run();
            self.held.drain(..given.min(self.held.len()));
            chunk = rest;
        }
        if self.held.is_empty() {
            let given = Lexer::new(&mut self.state, chunk, false, &mut |piece| sink(piece)).run();
            self.held.shrink_to(Self::KEPT);
            self.held.extend_from_slice(chunk.get(given..).unwrap_or_default());
        }
    }

    /// Says that the input has ended and gives out what is left. The splitter is then as new.
    pub fn finish(&mut self, sink: &mut dyn FnMut(Piece<'_>)) {
        Lexer::new(&mut self.state, &self.held, true, &mut |piece| sink(piece)).run();
        *self = Self::with_longest(self.state.longest);
    }

    /// How much of a chunk is put behind a statement that has begun before, at a time.
    const COPIED: usize = 256 << 10;

    /// How much memory is kept for the next statement when a large one has been given out.
    const KEPT: usize = 1 << 20;
}

/// All pieces of a text that is in memory.
#[must_use]
pub fn split(text: &[u8]) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut splitter = Splitter::new();
    Lexer::new(&mut splitter.state, text, true, &mut |piece| pieces.push(piece)).run();
    pieces
}
