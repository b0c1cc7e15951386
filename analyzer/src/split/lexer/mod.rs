//! The lexer proper. It can stop after any byte and go on when more input has come.

mod between;
mod ends;
mod tokens;

use crate::split::words::Words;
use crate::split::{End, Kind, Piece};
use crate::text::Position;

/// What is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Between two tokens.
    Top,
    /// White space between pieces.
    Space,
    Word,
    /// The rest of a token whose letters mean nothing, such as `1a$b$`.
    Junk,
    /// The name of a psql variable, after its colon.
    Variable,
    Digits(Digits),
    String(Text),
    Identifier,
    /// From the `$` that may begin a dollar quote.
    Tag,
    DollarQuote,
    LineComment,
    /// With its depth.
    BlockComment(u32),
    Noise,
    MetaName,
    MetaPipe,
    /// The arguments of a meta-command, with the quote that is open or 0.
    MetaWords(u8),
    MetaLine,
    /// The rows of a COPY.
    Rows,
}

/// Which digits are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digits {
    /// Those before a point.
    Whole,
    Fraction,
    Exponent,
    /// The number of a parameter, after its `$`.
    Parameter,
}

/// How a string is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// A doubled quote stands for one.
    Plain,
    /// That, and a backslash takes the next byte with it.
    Escapes,
    /// The first quote ends it.
    Bits,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ByteClass {
    Space,
    /// What an identifier begins with.
    Letter,
    Digit,
    Quote,
    DoubleQuote,
    Dollar,
    Minus,
    Slash,
    Backslash,
    Colon,
    Point,
    Semicolon,
    Opening,
    Closing,
    Other,
}

const CLASSES: [ByteClass; 256] = {
    let mut classes = [ByteClass::Other; 256];
    let mut byte = 0_u8;
    loop {
        classes[byte as usize] = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => ByteClass::Space,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80..=0xff => ByteClass::Letter,
            b'0'..=b'9' => ByteClass::Digit,
            b'\'' => ByteClass::Quote,
            b'"' => ByteClass::DoubleQuote,
            b'$' => ByteClass::Dollar,
            b'-' => ByteClass::Minus,
            b'/' => ByteClass::Slash,
            b'\\' => ByteClass::Backslash,
            b':' => ByteClass::Colon,
            b'.' => ByteClass::Point,
            b';' => ByteClass::Semicolon,
            b'(' => ByteClass::Opening,
            b')' => ByteClass::Closing,
            _ => ByteClass::Other,
        };
        if byte == u8::MAX {
            break classes;
        }
        byte += 1;
    }
};

fn class(byte: u8) -> ByteClass {
    CLASSES[usize::from(byte)]
}

fn is_space(byte: u8) -> bool {
    class(byte) == ByteClass::Space
}

fn goes_on_in_word(byte: u8) -> bool {
    matches!(class(byte), ByteClass::Letter | ByteClass::Digit | ByteClass::Dollar)
}

fn goes_on_in_tag(byte: u8) -> bool {
    matches!(class(byte), ByteClass::Letter | ByteClass::Digit)
}

/// A byte order mark at the start of the input.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Longer words are no keywords.
const LONGEST_WORD: usize = 64;

/// What is remembered from one chunk to the next. Offsets count from the start of the open piece.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own: no two exclude each other")]
pub(in crate::split) struct State {
    /// Where the open piece begins in the input.
    pub(in crate::split) offset: u64,
    pub(in crate::split) at: Position,
    /// The open piece begins a line.
    pub(in crate::split) line_start: bool,
    /// The line before was [`Kind::Noise`].
    pub(in crate::split) after_noise: bool,
    pub(in crate::split) open: Option<Kind>,
    pub(in crate::split) mode: Mode,
    /// How far the open piece has been read.
    pub(in crate::split) scanned: usize,
    /// Where the word or the dollar tag being read begins.
    pub(in crate::split) mark: usize,
    /// Where the last token of the open statement ends.
    pub(in crate::split) token_end: usize,
    /// The last string of the open statement: where it ended and how it was read.
    pub(in crate::split) last_string: Option<(usize, Text)>,
    /// The open piece was cut because it grew too long.
    pub(in crate::split) cut: bool,
    pub(in crate::split) words: Words,
    /// The delimiter of the open dollar quote, both `$` included.
    pub(in crate::split) tag: Vec<u8>,
    pub(in crate::split) standard_strings: bool,
    /// COPY statements on the current line whose data are still to come.
    pub(in crate::split) copies: usize,
    /// What goes on after the COPY data.
    pub(in crate::split) resume: Mode,
    /// Part of the current row has been given out.
    pub(in crate::split) mid_row: bool,
    pub(in crate::split) longest: usize,
}

/// Reads one stretch of input that begins with the open piece.
pub(super) struct Lexer<'s, 'b> {
    state: &'s mut State,
    data: &'b [u8],
    /// Nothing comes after `data`.
    last: bool,
    /// Where the open piece begins in `data`.
    start: usize,
    pos: usize,
    /// As far as may be read now: to the end of the line where COPY data follow it.
    limit: usize,
    /// `limit` is the end of such a line.
    line: bool,
    /// The current line does not end in `data`.
    endless: bool,
    sink: &'s mut dyn FnMut(Piece<'b>),
}

/// `None` where the input at hand is used up.
type Step = Option<()>;

impl<'s, 'b> Lexer<'s, 'b> {
    pub(super) fn new(
        state: &'s mut State,
        data: &'b [u8],
        last: bool,
        sink: &'s mut dyn FnMut(Piece<'b>),
    ) -> Self {
        let pos = state.scanned.min(data.len());
        Self { state, data, last, start: 0, pos, limit: data.len(), line: false, endless: false, sink }
    }

    /// Gives out every piece that is complete and says how many bytes those have.
    pub(super) fn run(mut self) -> usize {
        if self.state.copies > 0 && self.state.mode != Mode::Rows {
            self.stop_after_line();
        }
        loop {
            if self.state.mode == Mode::Rows {
                if self.rows().is_none() {
                    break;
                }
                continue;
            }
            while self.step().is_some() {}
            if self.line {
                self.end_line();
            } else if !(self.last && self.end_input()) {
                break;
            }
        }
        self.cut_overlong();
        self.state.scanned = self.pos - self.start;
        self.start
    }

    fn step(&mut self) -> Step {
        match self.state.mode {
            Mode::Top => self.top(),
            Mode::Space => self.space(),
            Mode::Word => self.word(),
            Mode::Junk => self.through(goes_on_in_word),
            Mode::Variable => self.through(goes_on_in_tag),
            Mode::Digits(part) => self.digits(part),
            Mode::String(text) => self.string(text),
            Mode::Identifier => self.identifier(),
            Mode::Tag => self.tag(),
            Mode::DollarQuote => self.dollar_quote(),
            Mode::LineComment => self.line_comment(),
            Mode::BlockComment(depth) => self.block_comment(depth),
            Mode::Noise => self.noise(),
            Mode::MetaName => self.meta_name(),
            Mode::MetaPipe => self.meta_pipe(),
            Mode::MetaWords(quote) => self.meta_words(quote),
            Mode::MetaLine => self.meta_line(),
            Mode::Rows => None,
        }
    }

    // What is at hand.

    fn rest(&self) -> &'b [u8] {
        self.data.get(self.pos..self.limit).unwrap_or_default()
    }

    /// The open piece, as far as it has been read.
    fn open_text(&self) -> &'b [u8] {
        self.data.get(self.start..self.pos).unwrap_or_default()
    }

    /// No part of the open piece has been given out, nor must be.
    fn is_whole(&self) -> bool {
        !self.state.cut && self.pos - self.start <= self.state.longest
    }

    /// The line or the input ends at `limit`.
    fn closed(&self) -> bool {
        self.last || self.line
    }

    /// The byte `ahead` of the current one. The end of the input looks like the end of a line.
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.rest().get(ahead).copied().or(if self.closed() { Some(b'\n') } else { None })
    }

    fn skip(&mut self, count: usize) {
        self.pos = self.limit.min(self.pos + count);
    }

    /// Moves to the first byte that `goes_on` refuses.
    fn skip_while(&mut self, goes_on: impl Fn(u8) -> bool) -> Step {
        let rest = self.rest();
        let count = rest.iter().position(|&byte| !goes_on(byte)).unwrap_or(rest.len());
        self.pos += count;
        if count == rest.len() && !self.closed() { None } else { Some(()) }
    }

    // Tokens.

    fn top(&mut self) -> Step {
        loop {
            let byte = *self.rest().first()?;
            let class = class(byte);
            if self.state.open.is_none() {
                self.open(byte, class)?;
                if self.state.mode != Mode::Top {
                    return Some(());
                }
            }
            match class {
                ByteClass::Space => {
                    self.skip(1);
                    continue;
                }
                ByteClass::Letter => {
                    self.state.mark = self.pos - self.start;
                    self.state.mode = Mode::Word;
                    self.word()?;
                    if self.state.mode == Mode::Top {
                        continue;
                    }
                    return Some(());
                }
                ByteClass::Digit => return self.enter(Mode::Digits(Digits::Whole), 1),
                ByteClass::Quote => return self.open_string(self.plain()),
                ByteClass::DoubleQuote => return self.enter(Mode::Identifier, 1),
                ByteClass::Dollar => match self.peek(1)? {
                    digit if digit.is_ascii_digit() => {
                        return self.enter(Mode::Digits(Digits::Parameter), 2);
                    }
                    _ => {
                        self.state.mark = self.pos - self.start;
                        return self.enter(Mode::Tag, 1);
                    }
                },
                ByteClass::Minus if self.peek(1)? == b'-' => return self.enter(Mode::LineComment, 2),
                ByteClass::Slash if self.peek(1)? == b'*' => return self.enter(Mode::BlockComment(1), 2),
                ByteClass::Colon => match self.peek(1)? {
                    b':' | b'=' => self.skip(2),
                    _ => return self.enter(Mode::Variable, 1),
                },
                ByteClass::Point => match self.peek(1)? {
                    b'.' => self.skip(2),
                    digit if digit.is_ascii_digit() => {
                        return self.enter(Mode::Digits(Digits::Fraction), 2);
                    }
                    _ => self.skip(1),
                },
                ByteClass::Backslash => {
                    let separator @ (b';' | b':') = self.peek(1)? else {
                        self.leave_statement(End::Broken);
                        return Some(());
                    };
                    self.skip(2);
                    if separator == b';' {
                        self.state.words.join();
                    }
                }
                ByteClass::Semicolon => {
                    self.skip(1);
                    if self.state.words.at_top() {
                        self.end_statement();
                        return Some(());
                    }
                }
                ByteClass::Opening => {
                    self.skip(1);
                    self.state.words.parentheses = self.state.words.parentheses.saturating_add(1);
                }
                ByteClass::Closing => {
                    self.skip(1);
                    self.state.words.parentheses = self.state.words.parentheses.saturating_sub(1);
                }
                ByteClass::Minus | ByteClass::Slash | ByteClass::Other => self.skip(1),
            }
            self.end_token();
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "every step ends this way")]
    fn enter(&mut self, mode: Mode, skip: usize) -> Step {
        self.state.mode = mode;
        self.skip(skip);
        Some(())
    }

    fn end_token(&mut self) {
        self.state.token_end = self.pos - self.start;
    }

    /// Back to the top after a token.
    #[expect(clippy::unnecessary_wraps, reason = "every step ends this way")]
    fn leave(&mut self) -> Step {
        self.end_token();
        self.state.mode = Mode::Top;
        Some(())
    }

    fn through(&mut self, goes_on: impl Fn(u8) -> bool) -> Step {
        self.skip_while(goes_on)?;
        self.leave()
    }

    // Comments, white space and noise.

    // Meta-commands.

    // Statements and the rows of COPY.

    // Giving out.
}
