//! A piece of an input: what it is, where it stands, how it ends.

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
    /// A meta-command in the middle of the line took over, or the piece grew over
    /// [`MAX_STATEMENT`](crate::split::Splitter::MAX_STATEMENT), or the data of a COPY that stands earlier on the same line
    /// begins. What follows continues the piece.
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
