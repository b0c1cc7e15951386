//! Planned changes as a unified diff, made from the changes themselves as the bytes stream by: no text
//! is compared with another, and memory is bounded by the lines of one hunk. Secrets are masked: a diff is for reading.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{self, Write};

use tsmigrate_analyzer::Rewriter;
use tsmigrate_analyzer::parse::Tokens;
use tsmigrate_analyzer::rewrite::Planned;
use tsmigrate_analyzer::secrets::{self, MASK};
use tsmigrate_analyzer::split::{Kind, Piece, Splitter};

pub(super) use self::paint::Paint;

/// Unchanged lines around a change.
const CONTEXT: usize = 3;

/// A change with more bytes than this is written as several hunks without lines around them.
const LONGEST: usize = 4 << 20;

const NO_NEWLINE: &[u8] = b"\n\\ No newline at end of file\n";

/// Writes the diff of one input.
pub(super) struct Diff<'a, W> {
    out: W,
    name: String,
    planned: std::iter::Peekable<std::slice::Iter<'a, Planned>>,
    rewriter: Rewriter<'a>,
    longest: usize,
    /// The part of a line that has come so far.
    held: Vec<u8>,
    /// Bytes of the input that came in whole lines.
    offset: u64,
    /// How far the changes reach that have begun.
    changed_to: u64,
    /// The numbers of the next line in both texts.
    at: (u64, u64),
    /// Unchanged lines since the last change, or as many as may come before the next one.
    unchanged: VecDeque<Vec<u8>>,
    hunk: Option<Hunk>,
    begun: bool,
    fresh: Vec<u8>,
    secrets: Secrets<'a>,
}

struct Hunk {
    /// Its first line in both texts.
    start: (u64, u64),
    /// How many lines it has of both.
    lines: (u64, u64),
    /// Unchanged lines before its first change.
    lead: Vec<Vec<u8>>,
    body: Vec<u8>,
    /// The change that is being read: what was and what comes.
    old: Vec<u8>,
    new: Vec<u8>,
}

impl<'a, W: Write> Diff<'a, W> {
    /// The diff of the input with this name.
    pub(super) fn new(
        out: W,
        name: &str,
        planned: &'a [Planned],
        rewriter: Rewriter<'a>,
        secrets: Secrets<'a>,
    ) -> Self {
        Self::with_longest(out, name, planned, rewriter, secrets, LONGEST)
    }

    fn with_longest(
        out: W,
        name: &str,
        planned: &'a [Planned],
        rewriter: Rewriter<'a>,
        secrets: Secrets<'a>,
        longest: usize,
    ) -> Self {
        Self {
            out,
            name: name.to_owned(),
            planned: planned.iter().peekable(),
            rewriter,
            longest,
            held: Vec::new(),
            offset: 0,
            changed_to: 0,
            at: (1, 1),
            unchanged: VecDeque::new(),
            hunk: None,
            begun: false,
            fresh: Vec::new(),
            secrets,
        }
    }

    /// Takes the next bytes of the input.
    pub(super) fn feed(&mut self, mut chunk: &[u8]) -> io::Result<()> {
        while let Some(end) = memchr::memchr(b'\n', chunk) {
            let (line, rest) = chunk.split_at(end + 1);
            if self.held.is_empty() {
                self.line(line, false)?;
            } else {
                let mut held = std::mem::take(&mut self.held);
                held.extend_from_slice(line);
                self.line(&held, false)?;
                held.clear();
                self.held = held;
            }
            chunk = rest;
        }
        self.held.extend_from_slice(chunk);
        Ok(())
    }

    /// The input has ended. True where something was masked that the diff shows.
    pub(super) fn finish(&mut self) -> io::Result<bool> {
        let held = std::mem::take(&mut self.held);
        self.line(&held, true)?;
        self.end_hunk()?;
        self.out.flush()?;
        Ok(self.secrets.shown)
    }

    /// One line; `last` is what stands behind the last line's end, and may be nothing.
    fn line(&mut self, line: &[u8], last: bool) -> io::Result<()> {
        let (start, end) = (self.offset, self.offset + line.len() as u64);
        self.offset = end;
        let mut changed = self.changed_to > start;
        while let Some(next) = self.planned.next_if(|next| next.span().start < end || last) {
            changed = true;
            self.changed_to = self.changed_to.max(next.span().end);
        }
        let mut fresh = std::mem::take(&mut self.fresh);
        fresh.clear();
        self.rewriter.feed(line, &mut fresh);
        if last {
            self.rewriter.finish(&mut fresh);
        }
        let old = self.secrets.hide(start, line);
        if changed || fresh != line {
            let new = if fresh == line { old.clone() } else { self.secrets.hide_new(&fresh) };
            self.change(&old, &new)?;
        } else if !line.is_empty() {
            self.keep(&old)?;
        }
        self.fresh = fresh;
        Ok(())
    }

    fn change(&mut self, old: &[u8], new: &[u8]) -> io::Result<()> {
        let hunk = if let Some(mut hunk) = self.hunk.take() {
            if !self.unchanged.is_empty() {
                hunk.end_change(true, usize::MAX);
                self.unchanged.drain(..).for_each(|line| hunk.context(&line));
            }
            self.hunk.insert(hunk)
        } else {
            let lead: Vec<Vec<u8>> = self.unchanged.drain(..).collect();
            let before = lead.len() as u64;
            self.hunk.insert(Hunk {
                start: (self.at.0 - before, self.at.1 - before),
                lines: (before, before),
                lead,
                body: Vec::new(),
                old: Vec::new(),
                new: Vec::new(),
            })
        };
        hunk.old.extend_from_slice(old);
        hunk.new.extend_from_slice(new);
        self.at.0 += lines(old);
        self.at.1 += lines(new);
        if hunk.old.len() + hunk.new.len() + hunk.body.len() > self.longest {
            self.break_hunk()?;
        }
        Ok(())
    }

    fn keep(&mut self, line: &[u8]) -> io::Result<()> {
        if self.hunk.is_some() && self.unchanged.len() == 2 * CONTEXT {
            self.end_hunk()?;
        }
        let mut kept = if self.hunk.is_none() && self.unchanged.len() == CONTEXT {
            self.unchanged.pop_front().unwrap_or_default()
        } else {
            Vec::new()
        };
        kept.clear();
        kept.extend_from_slice(line);
        self.unchanged.push_back(kept);
        self.at.0 += 1;
        self.at.1 += 1;
        Ok(())
    }

    /// Ends the hunk with the unchanged lines behind it. The last of those may come before the next one.
    fn end_hunk(&mut self) -> io::Result<()> {
        let Some(mut hunk) = self.hunk.take() else { return Ok(()) };
        // More lines behind the change than before it would tell patch that it is at the file's start.
        let had = hunk.end_change(true, CONTEXT);
        let behind = self.unchanged.len().min(CONTEXT - had);
        self.unchanged.drain(..behind).for_each(|line| hunk.context(&line));
        while self.unchanged.len() > CONTEXT {
            self.unchanged.pop_front();
        }
        self.write(&hunk)
    }

    /// Writes what there is of a change that goes on: without lines before it, as there are none behind
    /// it, or patch would look for it at the end of the file.
    fn break_hunk(&mut self) -> io::Result<()> {
        let Some(mut hunk) = self.hunk.take() else { return Ok(()) };
        hunk.end_change(false, 0);
        let before = std::mem::take(&mut hunk.lead).len() as u64;
        hunk.start = (hunk.start.0 + before, hunk.start.1 + before);
        hunk.lines = (hunk.lines.0 - before, hunk.lines.1 - before);
        self.write(&hunk)
    }

    fn write(&mut self, hunk: &Hunk) -> io::Result<()> {
        if hunk.body.is_empty() {
            return Ok(());
        }
        if !std::mem::replace(&mut self.begun, true) {
            // A tab ends a name that has spaces in it.
            let tab = if self.name.contains(' ') { "\t" } else { "" };
            write!(self.out, "--- {0}{tab}\n+++ {0}{tab}\n", self.name)?;
        }
        let range = |start: u64, lines: u64| {
            // An empty range is named by the line before it.
            format!("{},{lines}", if lines == 0 { start - 1 } else { start })
        };
        let (old, new) = (range(hunk.start.0, hunk.lines.0), range(hunk.start.1, hunk.lines.1));
        writeln!(self.out, "@@ -{old} +{new} @@")?;
        for line in &hunk.lead {
            put(&mut self.out, b' ', line)?;
        }
        self.secrets.shown |= hunk.lead.iter().any(|line| is_masked(line)) || is_masked(&hunk.body);
        self.out.write_all(&hunk.body)
    }
}

/// The secrets of an input, by their bytes.
pub(super) struct Secrets<'a> {
    /// In their order; the first ones have gone by.
    places: &'a [(u64, u64)],
    /// Those that came last, to be found again in what is new.
    values: VecDeque<Vec<u8>>,
    /// One of them would stand in the diff.
    shown: bool,
}

/// So many secrets are looked for in a new line: a statement that changes has fewer.
const REMEMBERED: usize = 64;

/// A masked line of the input is told from one that the input itself has so.
fn is_masked(lines: &[u8]) -> bool {
    memchr::memmem::find(lines, MASK.as_bytes()).is_some()
}

/// The secrets in a comment of a line, which is a part of no statement.
fn comment(line: &[u8]) -> Vec<(usize, usize)> {
    let Some(start) = memchr::memmem::find(line, b"--") else { return Vec::new() };
    let text = tsmigrate_analyzer::text::parseable(line.get(start..).unwrap_or_default());
    secrets::masks_in_text(&text).into_iter().map(|mask| (start + mask.start, start + mask.end)).collect()
}

impl<'a> Secrets<'a> {
    /// The places of all secrets, in order.
    pub(super) fn new(places: &'a [(u64, u64)]) -> Self {
        Self { places, values: VecDeque::new(), shown: false }
    }

    /// A line of the input that begins at this byte.
    fn hide<'l>(&mut self, start: u64, line: &'l [u8]) -> Cow<'l, [u8]> {
        let gone = self.places.partition_point(|(_, end)| *end <= start);
        self.places = self.places.get(gone..).unwrap_or_default();
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let at =
            |byte: u64| usize::try_from(byte.saturating_sub(start)).unwrap_or(usize::MAX).min(text.len());
        let mut out = Vec::new();
        let mut done = 0;
        let places = self.places.iter().map(|&(from, to)| (at(from), at(to)));
        let mut masks: Vec<_> = places.take_while(|(from, _)| *from < text.len()).collect();
        masks.extend(comment(text));
        masks.sort_unstable();
        for (from, to) in masks {
            if from.max(done) >= to {
                continue;
            }
            let from = from.max(done);
            out.extend_from_slice(&text[done..from]);
            out.extend_from_slice(MASK.as_bytes());
            let value = text[from..to].trim_ascii();
            let value = value.strip_prefix(b"'").and_then(|value| value.strip_suffix(b"'")).unwrap_or(value);
            if value.len() > 2 {
                self.values.push_back(value.to_vec());
                if self.values.len() > REMEMBERED {
                    self.values.pop_front();
                }
            }
            done = to;
        }
        if out.is_empty() {
            return Cow::Borrowed(line);
        }
        out.extend_from_slice(&line[done..]);
        Cow::Owned(out)
    }

    /// Lines that the rewrite puts in the place of others.
    fn hide_new<'l>(&self, lines: &'l [u8]) -> Cow<'l, [u8]> {
        if self.places.is_empty() && self.values.is_empty() {
            return Cow::Borrowed(lines);
        }
        let mut out = Vec::with_capacity(lines.len());
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            let mut text = match std::str::from_utf8(text) {
                Ok(text) => secrets::in_sql(text).into_bytes(),
                Err(_) => text.to_vec(),
            };
            for value in &self.values {
                let mut from = 0;
                while let Some(at) = memchr::memmem::find(text.get(from..).unwrap_or_default(), value) {
                    text.splice(from + at..from + at + value.len(), MASK.bytes());
                    from += at + MASK.len();
                }
            }
            out.extend_from_slice(&text);
            if line.ends_with(b"\n") {
                out.push(b'\n');
            }
        }
        Cow::Owned(out)
    }
}

/// Finds the secrets of an input as its bytes come by.
#[derive(Default)]
pub(super) struct Search {
    splitter: Splitter,
    found: Vec<(u64, u64)>,
}

impl Search {
    /// Takes the next bytes of the input.
    pub(super) fn feed(&mut self, chunk: &[u8]) {
        let Self { splitter, found } = self;
        splitter.feed(chunk, &mut |piece| look(&piece, found));
    }

    /// The places of all secrets, in order.
    pub(super) fn finish(mut self) -> Vec<(u64, u64)> {
        let Self { splitter, found } = &mut self;
        splitter.finish(&mut |piece| look(&piece, found));
        self.found
    }
}

fn look(piece: &Piece<'_>, found: &mut Vec<(u64, u64)>) {
    let text = tsmigrate_analyzer::text::parseable(piece.text);
    let masks = match piece.kind {
        Kind::Statement => secrets::masks(&text, Tokens::scan(&text).as_slice()),
        Kind::Meta => secrets::masks(&text, &[]),
        _ => return,
    };
    let at = piece.span.start;
    found.extend(masks.into_iter().map(|mask| (at + mask.start as u64, at + mask.end as u64)));
}

impl Hunk {
    fn context(&mut self, line: &[u8]) {
        self.lines = (self.lines.0 + 1, self.lines.1 + 1);
        // Writing to memory cannot fail.
        let _ = put(&mut self.body, b' ', line);
    }

    /// Writes the change. Lines that are the same at its edges are no part of it; of those at its end, at
    /// most so many are written. Says how many.
    fn end_change(&mut self, trim: bool, most_behind: usize) -> usize {
        let (old, new) = (std::mem::take(&mut self.old), std::mem::take(&mut self.new));
        let mut old: VecDeque<&[u8]> = old.split_inclusive(|byte| *byte == b'\n').collect();
        let mut new: VecDeque<&[u8]> = new.split_inclusive(|byte| *byte == b'\n').collect();
        let mut behind = VecDeque::new();
        if trim && old != new {
            while let (Some(a), Some(b)) = (old.front(), new.front())
                && a == b
            {
                self.before(a);
                old.pop_front();
                new.pop_front();
            }
            while let (Some(a), Some(b)) = (old.back(), new.back())
                && a == b
            {
                behind.push_front(*a);
                old.pop_back();
                new.pop_back();
            }
        }
        self.lines = (self.lines.0 + old.len() as u64, self.lines.1 + new.len() as u64);
        for (sign, lines) in [(b'-', &old), (b'+', &new)] {
            for line in lines {
                // Writing to memory cannot fail.
                let _ = put(&mut self.body, sign, line);
            }
        }
        behind.truncate(most_behind);
        for line in &behind {
            self.context(line);
        }
        behind.len()
    }

    /// An unchanged line before a change: before the first one, no more than its share.
    fn before(&mut self, line: &[u8]) {
        if !self.body.is_empty() {
            return self.context(line);
        }
        self.lead.push(line.to_vec());
        if self.lead.len() > CONTEXT {
            self.lead.remove(0);
            self.start = (self.start.0 + 1, self.start.1 + 1);
        } else {
            self.lines = (self.lines.0 + 1, self.lines.1 + 1);
        }
    }
}

fn put(out: &mut impl Write, sign: u8, line: &[u8]) -> io::Result<()> {
    out.write_all(&[sign])?;
    out.write_all(line)?;
    if line.ends_with(b"\n") { Ok(()) } else { out.write_all(NO_NEWLINE) }
}

fn lines(text: &[u8]) -> u64 {
    text.split_inclusive(|byte| *byte == b'\n').count() as u64
}

mod paint;
#[cfg(test)]
mod tests;
