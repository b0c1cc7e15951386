//! The lexer proper. It can stop after any byte and go on when more input has come.

use super::meta::{self, Arguments};
use super::words::Words;
use super::{End, Kind, Open, Piece, State, noise, settings};
use crate::text::{Span, position};

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
enum Class {
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

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    let mut byte = 0_u8;
    loop {
        classes[byte as usize] = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => Class::Space,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80..=0xff => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b'\'' => Class::Quote,
            b'"' => Class::DoubleQuote,
            b'$' => Class::Dollar,
            b'-' => Class::Minus,
            b'/' => Class::Slash,
            b'\\' => Class::Backslash,
            b':' => Class::Colon,
            b'.' => Class::Point,
            b';' => Class::Semicolon,
            b'(' => Class::Opening,
            b')' => Class::Closing,
            _ => Class::Other,
        };
        if byte == u8::MAX {
            break classes;
        }
        byte += 1;
    }
};

fn class(byte: u8) -> Class {
    CLASSES[usize::from(byte)]
}

fn is_space(byte: u8) -> bool {
    class(byte) == Class::Space
}

fn goes_on_in_word(byte: u8) -> bool {
    matches!(class(byte), Class::Letter | Class::Digit | Class::Dollar)
}

fn goes_on_in_tag(byte: u8) -> bool {
    matches!(class(byte), Class::Letter | Class::Digit)
}

/// A byte order mark at the start of the input.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Longer words are no keywords.
const LONGEST_WORD: usize = 64;

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
    fn look(&self, ahead: usize) -> Option<u8> {
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
                Class::Space => {
                    self.skip(1);
                    continue;
                }
                Class::Letter => {
                    self.state.mark = self.pos - self.start;
                    self.state.mode = Mode::Word;
                    self.word()?;
                    if self.state.mode == Mode::Top {
                        continue;
                    }
                    return Some(());
                }
                Class::Digit => return self.enter(Mode::Digits(Digits::Whole), 1),
                Class::Quote => return self.open_string(self.plain()),
                Class::DoubleQuote => return self.enter(Mode::Identifier, 1),
                Class::Dollar => match self.look(1)? {
                    digit if digit.is_ascii_digit() => {
                        return self.enter(Mode::Digits(Digits::Parameter), 2);
                    }
                    _ => {
                        self.state.mark = self.pos - self.start;
                        return self.enter(Mode::Tag, 1);
                    }
                },
                Class::Minus if self.look(1)? == b'-' => return self.enter(Mode::LineComment, 2),
                Class::Slash if self.look(1)? == b'*' => return self.enter(Mode::BlockComment(1), 2),
                Class::Colon => match self.look(1)? {
                    b':' | b'=' => self.skip(2),
                    _ => return self.enter(Mode::Variable, 1),
                },
                Class::Point => match self.look(1)? {
                    b'.' => self.skip(2),
                    digit if digit.is_ascii_digit() => {
                        return self.enter(Mode::Digits(Digits::Fraction), 2);
                    }
                    _ => self.skip(1),
                },
                Class::Backslash => {
                    let separator @ (b';' | b':') = self.look(1)? else {
                        self.leave_statement(End::Broken);
                        return Some(());
                    };
                    self.skip(2);
                    if separator == b';' {
                        self.state.words.join();
                    }
                }
                Class::Semicolon => {
                    self.skip(1);
                    if self.state.words.at_top() {
                        self.end_statement();
                        return Some(());
                    }
                }
                Class::Opening => {
                    self.skip(1);
                    self.state.words.parentheses = self.state.words.parentheses.saturating_add(1);
                }
                Class::Closing => {
                    self.skip(1);
                    self.state.words.parentheses = self.state.words.parentheses.saturating_sub(1);
                }
                Class::Minus | Class::Slash | Class::Other => self.skip(1),
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

    fn word(&mut self) -> Step {
        let begin = self.start + self.state.mark;
        if self.skip_while(goes_on_in_word).is_none() {
            if self.pos - begin > LONGEST_WORD {
                self.state.words.word(b"");
                self.state.mode = Mode::Junk;
            }
            return None;
        }
        let word = self.data.get(begin..self.pos).unwrap_or_default();
        if let [letter] = word {
            match (letter.to_ascii_lowercase(), self.look(0)?) {
                (b'e', b'\'') => return self.open_string(Text::Escapes),
                (b'b' | b'x', b'\'') => return self.open_string(Text::Bits),
                (b'n', b'\'') => return self.open_string(self.plain()),
                (b'u', b'&') => match self.look(1)? {
                    b'\'' => {
                        self.skip(1);
                        return self.open_string(Text::Plain);
                    }
                    b'"' => return self.enter(Mode::Identifier, 2),
                    _ => return self.leave(),
                },
                _ => {}
            }
        }
        self.state.words.word(if word.len() > LONGEST_WORD { b"" } else { word });
        self.leave()
    }

    fn digits(&mut self, part: Digits) -> Step {
        self.skip_while(|byte| byte.is_ascii_digit())?;
        let next = self.look(0)?;
        match (part, next) {
            (Digits::Parameter, _) => {}
            (_, b'_') if self.look(1)?.is_ascii_digit() => return self.enter(Mode::Digits(part), 1),
            (Digits::Whole, b'.') if self.look(1)? != b'.' => {
                return self.enter(Mode::Digits(Digits::Fraction), 1);
            }
            (Digits::Whole | Digits::Fraction, b'e' | b'E') if matches!(self.look(1)?, b'+' | b'-') => {
                let digits = self.look(2)?.is_ascii_digit();
                let mode = if digits { Mode::Digits(Digits::Exponent) } else { Mode::Top };
                self.enter(mode, 2)?;
                self.end_token();
                return Some(());
            }
            _ => {}
        }
        let separated = part != Digits::Parameter && self.digits_are_separated();
        match class(next) {
            Class::Letter => self.enter(Mode::Junk, 1),
            // A name may hold a `$`, and `_1$` is one.
            Class::Dollar if separated => self.enter(Mode::Junk, 1),
            _ => self.leave(),
        }
    }

    /// The last digits read are parted from others by a `_`.
    fn digits_are_separated(&self) -> bool {
        let before = self.open_text().iter().rev().find(|byte| !byte.is_ascii_digit());
        before == Some(&b'_')
    }

    fn plain(&self) -> Text {
        if self.state.standard_strings { Text::Plain } else { Text::Escapes }
    }

    fn open_string(&mut self, text: Text) -> Step {
        let text = match self.state.last_string {
            Some((end, before)) if self.continues_string(end) => before,
            _ => text,
        };
        self.enter(Mode::String(text), 1)
    }

    /// The string that begins here continues the one that ended at `end`. psql reads line by line
    /// and so overlooks a continuation, unless the line break between the two is a lone CR.
    fn continues_string(&self, end: usize) -> bool {
        let mut gap = self.data.get(self.start + end..self.pos).unwrap_or_default();
        if memchr::memchr(b'\n', gap).is_some() {
            return false;
        }
        let mut line_break = false;
        while let Some((&byte, after)) = gap.split_first() {
            if is_space(byte) {
                line_break |= byte == b'\r';
                gap = after;
            } else if gap.starts_with(b"--")
                && let Some(end) = memchr::memchr(b'\r', gap)
            {
                gap = gap.get(end..).unwrap_or_default();
            } else {
                return false;
            }
        }
        line_break
    }

    fn string(&mut self, text: Text) -> Step {
        loop {
            let rest = self.rest();
            let found = match text {
                Text::Escapes => memchr::memchr2(b'\'', b'\\', rest),
                Text::Plain | Text::Bits => memchr::memchr(b'\'', rest),
            };
            let Some(found) = found else {
                self.pos = self.limit;
                return None;
            };
            self.pos += found;
            let escape = rest.get(found) == Some(&b'\\');
            if escape || text != Text::Bits && self.look(1)? == b'\'' {
                self.look(1)?;
                self.skip(2);
                continue;
            }
            self.skip(1);
            self.state.last_string = Some((self.pos - self.start, text));
            return self.leave();
        }
    }

    fn identifier(&mut self) -> Step {
        loop {
            let Some(found) = memchr::memchr(b'"', self.rest()) else {
                self.pos = self.limit;
                return None;
            };
            self.pos += found;
            if self.look(1)? != b'"' {
                self.skip(1);
                return self.leave();
            }
            self.skip(2);
        }
    }

    fn tag(&mut self) -> Step {
        let begin = self.start + self.state.mark;
        let found = self.skip_while(goes_on_in_tag);
        let overlong = self.pos - begin > self.state.longest;
        if !overlong {
            found?;
        }
        if !overlong && self.look(0)? == b'$' {
            self.skip(1);
            self.state.tag.clear();
            self.state.tag.extend_from_slice(self.data.get(begin..self.pos).unwrap_or_default());
            return self.enter(Mode::DollarQuote, 0);
        }
        self.pos = begin + 1;
        self.leave()
    }

    fn dollar_quote(&mut self) -> Step {
        loop {
            let Some(found) = memchr::memchr(b'$', self.rest()) else {
                self.pos = self.limit;
                return None;
            };
            self.pos += found;
            let rest = self.rest();
            if rest.starts_with(&self.state.tag) {
                self.skip(self.state.tag.len());
                return self.leave();
            }
            if !self.closed() && self.state.tag.starts_with(rest) {
                return None;
            }
            self.skip(1);
        }
    }

    // Comments, white space and noise.

    /// Begins the piece at the current byte. Leaves the mode at [`Mode::Top`] only for a statement.
    fn open(&mut self, byte: u8, class: Class) -> Step {
        let state = &mut *self.state;
        let rest = self.data.get(self.pos..self.limit).unwrap_or_default();
        let whole = self.last || self.line;
        if state.offset == 0 && byte == 0xef {
            if rest.starts_with(MARK) {
                state.open = Some(Kind::Blank);
                return self.enter(Mode::Space, MARK.len());
            }
            if !whole && MARK.starts_with(rest) {
                return None;
            }
        }
        let (kind, mode, length) = match class {
            Class::Space => (Kind::Blank, Mode::Space, 1),
            Class::Minus if self.look(1)? == b'-' => (Kind::Comment, Mode::LineComment, 2),
            Class::Slash if self.look(1)? == b'*' => (Kind::Comment, Mode::BlockComment(1), 2),
            Class::Backslash if !matches!(self.look(1)?, b';' | b':') => (Kind::Meta, Mode::MetaName, 1),
            Class::Letter
                if self.state.line_start && noise::is_noise(rest, whole, self.state.after_noise)? =>
            {
                (Kind::Noise, Mode::Noise, 1)
            }
            _ => (Kind::Statement, Mode::Top, 0),
        };
        self.state.open = Some(kind);
        self.enter(mode, length)
    }

    fn space(&mut self) -> Step {
        self.skip_while(is_space)?;
        // At the end of the input the run may still be all there is: `end_input` gives it out.
        if self.rest().is_empty() {
            return None;
        }
        self.close(Kind::Blank, End::Complete);
        Some(())
    }

    fn line_comment(&mut self) -> Step {
        let end = memchr::memchr2(b'\n', b'\r', self.rest());
        self.pos = end.map_or(self.limit, |end| self.pos + end);
        if end.is_none() && !self.closed() {
            return None;
        }
        self.end_comment();
        Some(())
    }

    fn block_comment(&mut self, depth: u32) -> Step {
        let mut depth = depth;
        loop {
            let Some(found) = memchr::memchr2(b'*', b'/', self.rest()) else {
                self.pos = self.limit;
                return None;
            };
            self.pos += found;
            match (self.look(0)?, self.look(1)?) {
                (b'/', b'*') => {
                    depth = depth.saturating_add(1);
                    self.skip(2);
                }
                (b'*', b'/') => {
                    depth = depth.saturating_sub(1);
                    self.skip(2);
                    if depth == 0 {
                        self.end_comment();
                        return Some(());
                    }
                }
                _ => self.skip(1),
            }
            self.state.mode = Mode::BlockComment(depth);
        }
    }

    fn end_comment(&mut self) {
        if self.state.open == Some(Kind::Comment) {
            self.close(Kind::Comment, End::Complete);
        } else {
            self.state.mode = Mode::Top;
        }
    }

    fn noise(&mut self) -> Step {
        let end = memchr::memchr2(b'\n', b'\r', self.rest());
        self.pos = end.map_or(self.limit, |end| self.pos + end);
        if end.is_none() && !self.closed() {
            return None;
        }
        self.close(Kind::Noise, End::Complete);
        Some(())
    }

    // Meta-commands.

    fn meta_name(&mut self) -> Step {
        self.skip_while(|byte| !is_space(byte) && byte != b'\\')?;
        match meta::arguments(meta::name(self.open_text())) {
            Arguments::Words => self.enter(Mode::MetaWords(0), 0),
            Arguments::Pipe => self.enter(Mode::MetaPipe, 0),
            Arguments::Line => self.enter(Mode::MetaLine, 0),
        }
    }

    fn meta_pipe(&mut self) -> Step {
        self.skip_while(|byte| is_space(byte) && byte != b'\n')?;
        let mode = if self.look(0)? == b'|' { Mode::MetaLine } else { Mode::MetaWords(0) };
        self.enter(mode, 0)
    }

    fn meta_words(&mut self, quote: u8) -> Step {
        let mut quote = quote;
        loop {
            self.skip_while(|byte| !matches!(byte, b'\n' | b'\\' | b'\'' | b'"' | b'`'))?;
            match self.look(0)? {
                b'\n' => {
                    self.end_meta_line();
                    return Some(());
                }
                b'\\' if quote == 0 => {
                    if self.look(1)? == b'\\' {
                        self.skip(2);
                    }
                    self.end_meta();
                    return Some(());
                }
                b'\\' => {
                    let escapes = quote == b'\'' && self.look(1)? != b'\n';
                    self.skip(if escapes { 2 } else { 1 });
                }
                mark => {
                    quote = match quote {
                        0 => mark,
                        open if open == mark => 0,
                        open => open,
                    };
                    self.skip(1);
                }
            }
            self.state.mode = Mode::MetaWords(quote);
        }
    }

    fn meta_line(&mut self) -> Step {
        self.skip_while(|byte| byte != b'\n')?;
        self.end_meta_line();
        Some(())
    }

    /// The command ends with its line, whose ending may be CRLF.
    fn end_meta_line(&mut self) {
        if self.open_text().ends_with(b"\r") && self.rest().starts_with(b"\n") {
            self.pos -= 1;
        }
        self.end_meta();
    }

    fn end_meta(&mut self) {
        let command = if self.is_whole() { self.open_text() } else { b"" };
        let name = meta::name(command);
        if meta::copies(command) {
            self.state.copies += 1;
        }
        if meta::sends_statement(name) {
            self.state.copies += self.state.words.send();
        }
        if meta::ends_statement(name) {
            self.state.words = Words::default();
        }
        let connects = matches!(name, b"c" | b"connect");
        self.close(Kind::Meta, End::Complete);
        if connects {
            self.state.standard_strings = true;
        }
        self.stop_after_line();
    }

    // Statements and the rows of COPY.

    fn end_statement(&mut self) {
        let setting = if self.is_whole() && self.state.words.setting {
            settings::standard_strings(self.open_text())
        } else {
            None
        };
        self.state.copies += self.state.words.send();
        self.close(Kind::Statement, End::Complete);
        self.state.standard_strings = setting.unwrap_or(self.state.standard_strings);
        self.stop_after_line();
    }

    /// Ends the open statement with its last token; what stands behind that is read again.
    fn leave_statement(&mut self, end: End) {
        if self.is_whole() && self.state.token_end > 0 {
            self.pos = self.start + self.state.token_end;
        }
        self.close(Kind::Statement, end);
    }

    /// Where rows follow the current line, nothing behind that line may be read before them.
    fn stop_after_line(&mut self) {
        if self.state.copies == 0 || self.line || self.endless {
            return;
        }
        if let Some(newline) = memchr::memchr(b'\n', self.data.get(self.pos..).unwrap_or_default()) {
            self.limit = self.pos + newline + 1;
            self.line = true;
        } else {
            self.endless = true;
        }
    }

    /// The line after which rows follow has been read.
    fn end_line(&mut self) {
        match self.state.open {
            Some(Kind::Statement) if self.state.mode == Mode::Top => {
                return self.leave_statement(End::Broken);
            }
            Some(Kind::Blank) => self.close(Kind::Blank, End::Complete),
            Some(kind) => {
                self.give(kind, self.pos, End::Broken);
                self.state.cut = false;
            }
            None => {}
        }
        self.state.resume = self.state.mode;
        self.state.mode = Mode::Rows;
        self.state.mid_row = false;
        self.line = false;
        self.limit = self.data.len();
    }

    fn rows(&mut self) -> Step {
        let rest = self.data.get(self.start..).unwrap_or_default();
        let (rows, end) = find_end(rest, self.pos - self.start, self.state.mid_row, self.last);
        if let Some((length, complete)) = end {
            if rows > 0 {
                self.give(Kind::CopyData, self.start + rows, End::Complete);
            }
            let ending = if complete { End::Complete } else { End::InputEnded };
            self.give(Kind::CopyEnd, self.start + length, ending);
            self.pos = self.start;
            self.state.mid_row = false;
            self.state.copies = self.state.copies.saturating_sub(1);
            if self.state.copies == 0 {
                self.state.mode = self.state.resume;
            }
            return Some(());
        }
        if self.last {
            self.give(Kind::CopyData, self.data.len(), End::CutOff(Open::CopyData));
            self.state.copies = 0;
            self.state.mode = self.state.resume;
            self.pos = self.start;
            return Some(());
        }
        if rows > 0 {
            self.give(Kind::CopyData, self.start + rows, End::Complete);
            self.state.mid_row = false;
        }
        // A row of this length is no end mark, and holding it would cost memory without bound.
        if self.data.len() - self.start > self.state.longest {
            self.give(Kind::CopyData, self.data.len(), End::Complete);
            self.state.mid_row = true;
        }
        self.pos = self.data.len();
        None
    }

    /// The input has ended. True where something is left to be read again.
    fn end_input(&mut self) -> bool {
        let words = &self.state.words;
        let end = match self.state.mode {
            Mode::String(_) => End::CutOff(Open::Quote),
            Mode::Identifier => End::CutOff(Open::Identifier),
            Mode::DollarQuote => End::CutOff(Open::DollarQuote),
            Mode::BlockComment(_) => End::CutOff(Open::Comment),
            Mode::Top if words.parentheses > 0 => End::CutOff(Open::Parenthesis),
            Mode::Top if words.bodies > 0 => End::CutOff(Open::Body),
            Mode::Top => End::InputEnded,
            _ => End::Complete,
        };
        match self.state.open {
            Some(Kind::Statement) if self.state.mode == Mode::Top => {
                self.leave_statement(end);
                return true;
            }
            Some(kind) if self.pos > self.start => self.close(kind, end),
            _ => {}
        }
        if self.state.copies > 0 {
            self.state.mode = Mode::Rows;
            self.state.resume = Mode::Top;
            return true;
        }
        false
    }

    // Giving out.

    fn close(&mut self, kind: Kind, end: End) {
        self.give(kind, self.pos, end);
        self.state.open = None;
        self.state.mode = Mode::Top;
        self.state.cut = false;
    }

    fn give(&mut self, kind: Kind, upto: usize, end: End) {
        while kind != Kind::CopyData && upto - self.start > self.state.longest {
            self.piece(kind, self.start + self.state.longest, End::Broken);
        }
        self.piece(kind, upto, end);
    }

    fn piece(&mut self, kind: Kind, upto: usize, end: End) {
        let text = self.data.get(self.start..upto).unwrap_or_default();
        let state = &mut *self.state;
        let at = state.at;
        let span = Span::new(state.offset, state.offset + text.len() as u64);
        state.line_start = match kind {
            Kind::Blank => {
                text.ends_with(b"\n") || text.ends_with(b"\r") || (state.offset == 0 && text == MARK)
            }
            _ => text.ends_with(b"\n"),
        };
        state.after_noise = match kind {
            Kind::Blank => state.after_noise && matches!(text, b"\n" | b"\r" | b"\r\n"),
            _ => kind == Kind::Noise,
        };
        state.at = position(text, at, text.len());
        state.offset = span.end;
        let given = upto - self.start;
        state.mark = state.mark.saturating_sub(given);
        state.token_end = state.token_end.saturating_sub(given);
        state.last_string = None;
        self.start = upto;
        (self.sink)(Piece { kind, text, span, at, end, standard_strings: state.standard_strings });
    }

    /// Keeps memory bounded while a piece goes on and on.
    fn cut_overlong(&mut self) {
        while let Some(kind) = self.state.open
            && self.state.mode != Mode::Rows
            // One byte more than that: the CR of a CRLF was read, but does not belong to a command.
            && self.pos - self.start > self.state.longest + 1
            && (!matches!(self.state.mode, Mode::Word | Mode::Tag) || self.state.mark >= self.state.longest)
        {
            self.piece(kind, self.start + self.state.longest, End::Broken);
            self.state.cut = true;
            if self.state.mode == Mode::MetaName {
                self.state.mode = Mode::MetaLine;
            }
        }
    }
}

/// How many bytes of `data` are whole rows, and the length of the end mark behind them with whether
/// its line is complete. There is no line ending before `from`. `mid_row` says that `data` begins inside a row.
fn find_end(data: &[u8], from: usize, mid_row: bool, last: bool) -> (usize, Option<(usize, bool)>) {
    let at = |start: usize| match data.get(start..).unwrap_or_default() {
        [b'\\', b'.', b'\n', ..] => Some((3, true)),
        [b'\\', b'.', b'\r', b'\n', ..] => Some((4, true)),
        [b'\\', b'.'] if last => Some((2, false)),
        [b'\\', b'.', b'\r'] if last => Some((3, false)),
        _ => None,
    };
    if !mid_row && let Some(end) = at(0) {
        return (0, Some(end));
    }
    let new = data.get(from..).unwrap_or_default();
    for newline in memchr::memmem::find_iter(new, b"\n\\.") {
        let rows = from + newline + 1;
        if let Some(end) = at(rows) {
            return (rows, Some(end));
        }
    }
    (memchr::memrchr(b'\n', new).map_or(0, |newline| from + newline + 1), None)
}
