//! Tokens inside of a statement: words, numbers, strings, quotes.

use super::{
    ByteClass, Digits, LONGEST_WORD, Lexer, MARK, Mode, Step, Text, class, goes_on_in_tag, goes_on_in_word,
    is_space,
};
use crate::split::{Kind, noise};

impl Lexer<'_, '_> {
    pub(super) fn word(&mut self) -> Step {
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
            match (letter.to_ascii_lowercase(), self.peek(0)?) {
                (b'e', b'\'') => return self.open_string(Text::Escapes),
                (b'b' | b'x', b'\'') => return self.open_string(Text::Bits),
                (b'n', b'\'') => return self.open_string(self.plain()),
                (b'u', b'&') => match self.peek(1)? {
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

    pub(super) fn digits(&mut self, part: Digits) -> Step {
        self.skip_while(|byte| byte.is_ascii_digit())?;
        let next = self.peek(0)?;
        match (part, next) {
            (Digits::Parameter, _) => {}
            (_, b'_') if self.peek(1)?.is_ascii_digit() => return self.enter(Mode::Digits(part), 1),
            (Digits::Whole, b'.') if self.peek(1)? != b'.' => {
                return self.enter(Mode::Digits(Digits::Fraction), 1);
            }
            (Digits::Whole | Digits::Fraction, b'e' | b'E') if matches!(self.peek(1)?, b'+' | b'-') => {
                let digits = self.peek(2)?.is_ascii_digit();
                let mode = if digits { Mode::Digits(Digits::Exponent) } else { Mode::Top };
                self.enter(mode, 2)?;
                self.end_token();
                return Some(());
            }
            _ => {}
        }
        let separated = part != Digits::Parameter && self.digits_are_separated();
        match class(next) {
            ByteClass::Letter => self.enter(Mode::Junk, 1),
            // A name may hold a `$`, and `_1$` is one.
            ByteClass::Dollar if separated => self.enter(Mode::Junk, 1),
            _ => self.leave(),
        }
    }

    /// The last digits read are parted from others by a `_`.
    pub(super) fn digits_are_separated(&self) -> bool {
        let before = self.open_text().iter().rev().find(|byte| !byte.is_ascii_digit());
        before == Some(&b'_')
    }

    pub(super) fn plain(&self) -> Text {
        if self.state.standard_strings { Text::Plain } else { Text::Escapes }
    }

    pub(super) fn open_string(&mut self, text: Text) -> Step {
        let text = match self.state.last_string {
            Some((end, before)) if self.continues_string(end) => before,
            _ => text,
        };
        self.enter(Mode::String(text), 1)
    }

    /// The string that begins here continues the one that ended at `end`. psql reads line by line
    /// and so overlooks a continuation, unless the line break between the two is a lone CR.
    pub(super) fn continues_string(&self, end: usize) -> bool {
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

    pub(super) fn string(&mut self, text: Text) -> Step {
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
            if escape || text != Text::Bits && self.peek(1)? == b'\'' {
                self.peek(1)?;
                self.skip(2);
                continue;
            }
            self.skip(1);
            self.state.last_string = Some((self.pos - self.start, text));
            return self.leave();
        }
    }

    pub(super) fn identifier(&mut self) -> Step {
        loop {
            let Some(found) = memchr::memchr(b'"', self.rest()) else {
                self.pos = self.limit;
                return None;
            };
            self.pos += found;
            if self.peek(1)? != b'"' {
                self.skip(1);
                return self.leave();
            }
            self.skip(2);
        }
    }

    pub(super) fn tag(&mut self) -> Step {
        let begin = self.start + self.state.mark;
        let found = self.skip_while(goes_on_in_tag);
        let overlong = self.pos - begin > self.state.longest;
        if !overlong {
            found?;
        }
        if !overlong && self.peek(0)? == b'$' {
            self.skip(1);
            self.state.tag.clear();
            self.state.tag.extend_from_slice(self.data.get(begin..self.pos).unwrap_or_default());
            return self.enter(Mode::DollarQuote, 0);
        }
        self.pos = begin + 1;
        self.leave()
    }

    pub(super) fn dollar_quote(&mut self) -> Step {
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

    /// Begins the piece at the current byte. Leaves the mode at [`Mode::Top`] only for a statement.
    pub(super) fn open(&mut self, byte: u8, class: ByteClass) -> Step {
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
            ByteClass::Space => (Kind::Blank, Mode::Space, 1),
            ByteClass::Minus if self.peek(1)? == b'-' => (Kind::Comment, Mode::LineComment, 2),
            ByteClass::Slash if self.peek(1)? == b'*' => (Kind::Comment, Mode::BlockComment(1), 2),
            ByteClass::Backslash if !matches!(self.peek(1)?, b';' | b':') => (Kind::Meta, Mode::MetaName, 1),
            ByteClass::Letter
                if self.state.line_start && noise::is_noise(rest, whole, self.state.after_noise)? =>
            {
                (Kind::Noise, Mode::Noise, 1)
            }
            _ => (Kind::Statement, Mode::Top, 0),
        };
        self.state.open = Some(kind);
        self.enter(mode, length)
    }
}
