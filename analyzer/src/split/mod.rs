//! Dump text in, pieces that tile it exactly out: the rules psql follows when it reads a file.
//!
//! Fed in chunks of any size; memory is bounded by the largest statement (COPY data passes through in chunks).

mod lexer;
mod meta;
mod noise;
mod settings;
mod words;

#[cfg(test)]
mod tests;

use self::lexer::{Lexer, Mode};
use self::words::Words;
use crate::text::{Position, Span};

/// What a piece of a dump is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An SQL statement from its first token to its semicolon, both included (psql sends this).
    Statement,
    /// Rows of the COPY before it, whole lines as far as the input was at hand.
    CopyData,
    /// The line `\.` that ends COPY data, with its line ending.
    CopyEnd,
    /// A psql meta-command from its backslash to the end of its line (line ending excluded), or to
    /// the `\\` (included) or the next command's backslash (excluded) that ends it earlier.
    Meta,
    /// One `--` comment (line ending excluded) or one `/* */` comment between statements.
    Comment,
    /// White space between pieces; a byte order mark at the start of the input.
    Blank,
    /// A line of a tool's output that was written into the file, such as `pg_dump: warning: …`.
    Noise,
}

/// How a piece came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As it should.
    Complete,
    /// The input ended first, with nothing open: psql would still send such a statement.
    InputEnded,
    /// The input ended inside the thing named: the file is cut off. For COPY data without an end
    /// the last [`Kind::CopyData`] piece says so; it may be empty.
    CutOff(Open),
    /// A meta-command in the middle of the line took over, or the piece grew over [`Splitter::MAX_STATEMENT`],
    /// or the data of a COPY that stands earlier on the same line begins. What follows continues the piece.
    Broken,
}

/// What was open when the input ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// A `'…'` string.
    Quote,
    /// A `"…"` identifier.
    Identifier,
    /// A `$tag$…$tag$` string.
    DollarQuote,
    /// A `/* … */` comment.
    Comment,
    /// A parenthesis.
    Parenthesis,
    /// A `BEGIN ATOMIC` body.
    Body,
    /// The data of a `COPY … FROM stdin`.
    CopyData,
}

/// One piece of the input. All pieces in order, joined, are the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its bytes as they stand in the input.
    pub text: &'a [u8],
    /// Where it stands in the input.
    pub span: Span,
    /// Line and column of its first byte.
    pub at: Position,
    /// How it ended.
    pub end: End,
    /// `standard_conforming_strings` where the piece begins.
    pub standard_strings: bool,
}

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

/// What is remembered from one chunk to the next. Offsets count from the start of the open piece.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own: no two exclude each other")]
struct State {
    /// Where the open piece begins in the input.
    offset: u64,
    at: Position,
    /// The open piece begins a line.
    line_start: bool,
    /// The line before was [`Kind::Noise`].
    after_noise: bool,
    open: Option<Kind>,
    mode: Mode,
    /// How far the open piece has been read.
    scanned: usize,
    /// Where the word or the dollar tag being read begins.
    mark: usize,
    /// Where the last token of the open statement ends.
    token_end: usize,
    /// The last string of the open statement: where it ended and how it was read.
    last_string: Option<(usize, lexer::Text)>,
    /// The open piece was cut because it grew too long.
    cut: bool,
    words: Words,
    /// The delimiter of the open dollar quote, both `$` included.
    tag: Vec<u8>,
    standard_strings: bool,
    /// COPY statements on the current line whose data are still to come.
    copies: usize,
    /// What goes on after the COPY data.
    resume: Mode,
    /// Part of the current row has been given out.
    mid_row: bool,
    longest: usize,
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
            // Only the row at hand is copied: the rest of the chunk can be lent out.
            let needed = match self.state.mode {
                Mode::Rows => memchr::memchr(b'\n', chunk).map_or(chunk.len(), |newline| newline + 1),
                _ => chunk.len(),
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
