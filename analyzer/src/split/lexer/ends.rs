//! Where statements, lines, rows and pieces end.

use super::{Lexer, MARK, Mode, Step};
use crate::split::{End, Kind, Open, Piece, settings};
use crate::text::{Span, position};

impl Lexer<'_, '_> {
    pub(super) fn end_statement(&mut self) {
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
    pub(super) fn leave_statement(&mut self, end: End) {
        if self.is_whole() && self.state.token_end > 0 {
            self.pos = self.start + self.state.token_end;
        }
        self.close(Kind::Statement, end);
    }

    /// Where rows follow the current line, nothing behind that line may be read before them.
    pub(super) fn stop_after_line(&mut self) {
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
    pub(super) fn end_line(&mut self) {
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

    pub(super) fn rows(&mut self) -> Step {
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
    pub(super) fn end_input(&mut self) -> bool {
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

    pub(super) fn close(&mut self, kind: Kind, end: End) {
        self.give(kind, self.pos, end);
        self.state.open = None;
        self.state.mode = Mode::Top;
        self.state.cut = false;
    }

    pub(super) fn give(&mut self, kind: Kind, upto: usize, end: End) {
        while kind != Kind::CopyData && upto - self.start > self.state.longest {
            self.piece(kind, self.start + self.state.longest, End::Broken);
        }
        self.piece(kind, upto, end);
    }

    pub(super) fn piece(&mut self, kind: Kind, upto: usize, end: End) {
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
    pub(super) fn cut_overlong(&mut self) {
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
