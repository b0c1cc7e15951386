//! From findings to bytes: which fixes of a statement are applied, what comes out, and the proof that
//! it says what it should.

use std::ops::Range;

use crate::edit::{Action, Edit, Fix, Safety};
use crate::finding::Severity;
use crate::options::Options;
use crate::parse::{Change, Parsed, canonical, changed, parse};
use crate::rule::Finding;
use crate::text::Span;

/// A change to an input, in the order of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Planned {
    /// Bytes replaced by others.
    Replace(Edit),
    /// A range that becomes a comment.
    Remove {
        /// The range.
        span: Span,
        /// The rule.
        rule: &'static str,
        /// What is said above it.
        title: String,
    },
}

impl Planned {
    /// The bytes it covers.
    #[must_use]
    pub const fn span(&self) -> Span {
        match self {
            Self::Replace(edit) => edit.span,
            Self::Remove { span, .. } => *span,
        }
    }
}

/// The changes that a fix of this rule makes.
pub(crate) fn plan_fix(planned: &mut Vec<Planned>, rule: &'static str, fix: &Fix) {
    let lines = |statements: &[String]| statements.join("\n");
    // It becomes a line of a comment, and names in it may hold anything.
    let title = fix.title.replace(['\n', '\r'], " ");
    match &fix.action {
        Action::Remove { span } => planned.push(Planned::Remove { span: *span, rule, title }),
        Action::Edit { edits, .. } => planned.extend(edits.iter().cloned().map(Planned::Replace)),
        Action::Surround { before, after, span } => {
            if !before.is_empty() {
                let text = format!("-- tsmigrate {rule}: {title}\n{}\n", lines(before));
                planned.push(Planned::Replace(Edit::insert(span.start, text)));
            }
            if !after.is_empty() {
                planned.push(Planned::Replace(Edit::insert(span.end, format!("\n{}", lines(after)))));
            }
        }
        Action::Replace { span, with } => {
            planned.push(Planned::Remove { span: *span, rule, title });
            planned.push(Planned::Replace(Edit::insert(span.end, format!("\n{}", lines(with)))));
        }
    }
}

/// The changes that the fix of one finding makes, in the order of the input's bytes; none where it has no fix.
#[must_use]
pub fn of_one(finding: &Finding) -> Vec<Planned> {
    let mut planned = Vec::new();
    if let Some(fix) = &finding.fix {
        plan_fix(&mut planned, finding.rule.id, fix);
    }
    planned
}

/// True where the fix of a finding is to be applied. `file` is the name of its input.
#[must_use]
pub fn is_wanted(finding: &Finding, options: &Options, file: &str) -> bool {
    if options.leaves(finding.rule.id, file, finding.place.line) {
        return false;
    }
    match finding.fix.as_ref().map_or(Safety::None, |fix| fix.safety) {
        Safety::Safe => true,
        Safety::Review => finding.rule.is_accepted(options) || root_is_accepted(finding, options),
        Safety::None => false,
    }
}

/// True where the loss is a consequence of one that was accepted.
#[must_use]
pub fn root_is_accepted(finding: &Finding, options: &Options) -> bool {
    finding.cause.as_ref().is_some_and(|cause| cause.rule.is_accepted(options))
}

/// Applies edits to a text that begins at byte `start` of its input. `None` where two of them overlap, or lie outside of it.
#[must_use]
pub fn apply(text: &str, start: u64, edits: &[&Edit]) -> Option<String> {
    let mut order: Vec<&Edit> = edits.to_vec();
    order.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for edit in order {
        let range = local(edit.span, start)?;
        out.push_str(text.get(done..range.start)?);
        out.push_str(&edit.text);
        done = range.end;
    }
    out.push_str(text.get(done..)?);
    Some(out)
}

fn local(span: Span, start: u64) -> Option<Range<usize>> {
    let from = usize::try_from(span.start.checked_sub(start)?).ok()?;
    let to = usize::try_from(span.end.checked_sub(start)?).ok()?;
    (from <= to).then_some(from..to)
}

/// The edit fixes of these findings that can be applied together, in their order: one that overlaps
/// an earlier one has to wait for the next round.
#[must_use]
pub fn compatible(findings: &[Finding], wanted: impl Fn(&Finding) -> bool) -> Vec<usize> {
    let mut taken: Vec<Span> = Vec::new();
    let mut chosen = Vec::new();
    for (index, finding) in findings.iter().enumerate() {
        let Some(Action::Edit { edits, .. }) = finding.fix.as_ref().map(|fix| &fix.action) else { continue };
        if !wanted(finding) || edits.iter().any(|e| taken.iter().any(|t| t.overlaps(e.span) || *t == e.span))
        {
            continue;
        }
        taken.extend(edits.iter().map(|edit| edit.span));
        chosen.push(index);
    }
    chosen
}

/// The proof: the new text parses, and its tree is the old tree with exactly these changes.
#[must_use]
pub fn proved(old: &Parsed, new_text: &str, standard_strings: bool, changes: &[Change]) -> Option<Parsed> {
    let new = parse(new_text, standard_strings).ok()??;
    let expected = changed(canonical(old.node()), changes)?;
    (canonical(new.node()) == expected && old.has_rows_of(&new)).then_some(new)
}

/// True where every added text is exactly one statement, semicolon included.
#[must_use]
pub fn is_statement(sql: &str) -> bool {
    sql.ends_with(';') && matches!(parse(sql, true), Ok(Some(_)))
}

/// Errors that stay after the rewrite.
pub fn unsolved(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error && !finding.solved && finding.allowed.is_none())
}

/// What happens to statements that are removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// They stay as comments that carry the rule's id.
    #[default]
    Comment,
    /// They are deleted.
    Delete,
}

/// Applies planned changes to the bytes of one input as they stream by, in constant memory.
#[derive(Debug)]
pub struct Rewriter<'a> {
    planned: std::iter::Peekable<std::slice::Iter<'a, Planned>>,
    style: Style,
    /// Bytes of the input that have passed.
    offset: u64,
    /// The removal that the stream is inside of.
    removing: Option<u64>,
    /// The removal leaves no trace: its replacement was written already.
    silent: bool,
    /// The last byte inside a removal ended a line.
    line_start: bool,
    /// A lone CR ends a comment for psql (psqlscan.l, `non_newline`): the line goes on behind a new mark.
    after_cr: bool,
    /// A comment was just closed: what follows must stand on a new line.
    needs_newline: bool,
}

impl<'a> Rewriter<'a> {
    /// A rewriter at the start of an input. `planned` is in the order of the input's bytes.
    #[must_use]
    pub fn new(planned: &'a [Planned], style: Style) -> Self {
        Self {
            planned: planned.iter().peekable(),
            style,
            offset: 0,
            removing: None,
            silent: false,
            line_start: false,
            after_cr: false,
            needs_newline: false,
        }
    }

    /// Takes the next bytes of the input and appends what they become to `out`.
    pub fn feed(&mut self, mut chunk: &[u8], out: &mut Vec<u8>) {
        while !chunk.is_empty() {
            if let Some(end) = self.removing {
                let take = take(end - self.offset, chunk);
                self.removed(&chunk[..take], out);
                self.advance(&mut chunk, take);
                if self.offset == end {
                    self.removing = None;
                    self.needs_newline = !self.silent && !self.line_start;
                }
                continue;
            }
            match self.planned.peek() {
                Some(next) if next.span().start <= self.offset => {
                    let next = *next;
                    self.planned.next();
                    self.begin(next, &mut chunk, out);
                }
                next => {
                    let until = next.map_or(u64::MAX, |next| next.span().start - self.offset);
                    let take = take(until, chunk);
                    self.close_comment(chunk.first().copied(), out);
                    out.extend_from_slice(&chunk[..take]);
                    self.advance(&mut chunk, take);
                }
            }
        }
    }

    /// Says that the input has ended.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        while let Some(next) = self.planned.next() {
            self.begin(next, &mut &[][..], out);
        }
        if self.needs_newline {
            out.push(b'\n');
        }
    }

    fn advance(&mut self, chunk: &mut &[u8], by: usize) {
        *chunk = &chunk[by..];
        self.offset += by as u64;
    }

    fn close_comment(&mut self, next: Option<u8>, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.needs_newline) && !matches!(next, Some(b'\n' | b'\r')) {
            out.push(b'\n');
        }
    }

    fn begin(&mut self, planned: &Planned, chunk: &mut &[u8], out: &mut Vec<u8>) {
        match planned {
            Planned::Replace(edit) => {
                self.close_comment(edit.text.bytes().next(), out);
                out.extend_from_slice(edit.text.as_bytes());
                // What is replaced may reach into later chunks: it passes as a silent removal.
                let length = take(edit.span.len(), chunk);
                self.advance(chunk, length);
                if (length as u64) < edit.span.len() {
                    self.removing = Some(edit.span.end);
                    self.silent = true;
                }
            }
            Planned::Remove { span, rule, title } => {
                if self.style == Style::Comment {
                    self.close_comment(None, out);
                    // A name in it may have lines of its own, and what stands on them would run.
                    let title = title.replace(['\n', '\r'], " ");
                    out.extend_from_slice(format!("-- tsmigrate {rule}: {title}\n").as_bytes());
                }
                self.line_start = true;
                self.after_cr = false;
                self.removing = (!span.is_empty()).then_some(span.end);
                self.silent = self.style == Style::Delete;
            }
        }
    }

    fn removed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.silent {
            return;
        }
        for &byte in bytes {
            if self.line_start || self.after_cr && byte != b'\n' {
                out.extend_from_slice(b"-- ");
            }
            self.line_start = byte == b'\n';
            self.after_cr = byte == b'\r';
            out.push(byte);
        }
    }
}

fn take(wanted: u64, chunk: &[u8]) -> usize {
    usize::try_from(wanted).unwrap_or(usize::MAX).min(chunk.len())
}
