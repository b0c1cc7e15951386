//! What stands between statements: white space, comments, output of tools, meta-commands.

use super::{Lexer, Mode, Step, is_space};
use crate::split::meta::{self, Arguments};
use crate::split::words::Words;
use crate::split::{End, Kind};

impl Lexer<'_, '_> {
    pub(super) fn space(&mut self) -> Step {
        self.skip_while(is_space)?;
        // At the end of the input the run may still be all there is: `end_input` gives it out.
        if self.rest().is_empty() {
            return None;
        }
        self.close(Kind::Blank, End::Complete);
        Some(())
    }

    pub(super) fn line_comment(&mut self) -> Step {
        let end = memchr::memchr2(b'\n', b'\r', self.rest());
        self.pos = end.map_or(self.limit, |end| self.pos + end);
        if end.is_none() && !self.closed() {
            return None;
        }
        self.end_comment();
        Some(())
    }

    pub(super) fn block_comment(&mut self, depth: u32) -> Step {
        let mut depth = depth;
        loop {
            let Some(found) = memchr::memchr2(b'*', b'/', self.rest()) else {
                self.pos = self.limit;
                return None;
            };
            self.pos += found;
            match (self.peek(0)?, self.peek(1)?) {
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

    pub(super) fn end_comment(&mut self) {
        if self.state.open == Some(Kind::Comment) {
            self.close(Kind::Comment, End::Complete);
        } else {
            self.state.mode = Mode::Top;
        }
    }

    pub(super) fn noise(&mut self) -> Step {
        let end = memchr::memchr2(b'\n', b'\r', self.rest());
        self.pos = end.map_or(self.limit, |end| self.pos + end);
        if end.is_none() && !self.closed() {
            return None;
        }
        self.close(Kind::Noise, End::Complete);
        Some(())
    }

    pub(super) fn meta_name(&mut self) -> Step {
        self.skip_while(|byte| !is_space(byte) && byte != b'\\')?;
        match meta::arguments(meta::name(self.open_text())) {
            Arguments::Words => self.enter(Mode::MetaWords(0), 0),
            Arguments::Pipe => self.enter(Mode::MetaPipe, 0),
            Arguments::Line => self.enter(Mode::MetaLine, 0),
        }
    }

    pub(super) fn meta_pipe(&mut self) -> Step {
        self.skip_while(|byte| is_space(byte) && byte != b'\n')?;
        let mode = if self.peek(0)? == b'|' { Mode::MetaLine } else { Mode::MetaWords(0) };
        self.enter(mode, 0)
    }

    pub(super) fn meta_words(&mut self, quote: u8) -> Step {
        let mut quote = quote;
        loop {
            self.skip_while(|byte| !matches!(byte, b'\n' | b'\\' | b'\'' | b'"' | b'`'))?;
            match self.peek(0)? {
                b'\n' => {
                    self.end_meta_line();
                    return Some(());
                }
                b'\\' if quote == 0 => {
                    if self.peek(1)? == b'\\' {
                        self.skip(2);
                    }
                    self.end_meta();
                    return Some(());
                }
                b'\\' => {
                    let escapes = quote == b'\'' && self.peek(1)? != b'\n';
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

    pub(super) fn meta_line(&mut self) -> Step {
        self.skip_while(|byte| byte != b'\n')?;
        self.end_meta_line();
        Some(())
    }

    /// The command ends with its line, whose ending may be CRLF.
    pub(super) fn end_meta_line(&mut self) {
        if self.open_text().ends_with(b"\r") && self.rest().starts_with(b"\n") {
            self.pos -= 1;
        }
        self.end_meta();
    }

    pub(super) fn end_meta(&mut self) {
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
}
