//! Dump text in, pieces that tile it exactly out: the rules psql follows when it reads a file.
//!
//! Fed in chunks of any size; memory is bounded by the largest statement (COPY data passes through in chunks).

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
    /// A psql meta-command from its backslash to the end of its line (line ending excluded).
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
    /// The input ended inside the thing named: the file is cut off.
    CutOff(Open),
    /// A meta-command in the middle of the line took over, or the piece grew over [`Splitter::MAX_STATEMENT`].
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
#[derive(Debug, Default)]
pub struct Splitter {}

impl Splitter {
    /// A statement longer than this, in bytes, is given out as it is ([`End::Broken`]):
    /// PostgreSQL takes no query of 1 GB or more (`MaxAllocSize`, memutils.h).
    pub const MAX_STATEMENT: usize = 256 << 20;

    /// A splitter at the start of an input.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the input and gives every piece that they complete to `sink`.
    pub fn feed(&mut self, _chunk: &[u8], _sink: &mut dyn FnMut(Piece<'_>)) {}

    /// Says that the input has ended and gives out what is left.
    pub fn finish(&mut self, _sink: &mut dyn FnMut(Piece<'_>)) {}
}

/// All pieces of a text that is in memory.
#[must_use]
pub fn split(_text: &[u8]) -> Vec<Piece<'_>> {
    Vec::new()
}
