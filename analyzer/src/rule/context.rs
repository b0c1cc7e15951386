//! What a rule sees, and how it says what it found.

use std::ops::Range;

use arcstr::ArcStr;

use super::finding::{Cause, Finding};
use super::{NotJudgedList, Registry, Rule, States, Subject, Unjudged};
use crate::edit::{Action, Edit, Fix, Safety};
use crate::facts::objects::{created, subject};
use crate::facts::{Facts, Object, ObjectId};
use crate::finding::{Excerpt, Place, Related, ServerError, Severity};
use crate::locate::{Statement, excerpt};
use crate::options::Options;
use crate::parse::{Change, NodeEnum, ParseError, Tokens};
use crate::secrets;
use crate::server::Server;
use crate::target::Target;

/// What a rule is given.
#[derive(Debug)]
pub struct Context<'a> {
    /// The piece.
    pub subject: Subject<'a>,
    /// What the dump declared before this piece.
    pub facts: &'a Facts,
    /// The destination.
    pub target: &'a Target,
    /// What the person asked for.
    pub options: &'a Options,
    /// What rules keep beyond the piece.
    pub states: &'a mut States,
    /// All rules.
    pub registry: &'static Registry,
    pub(crate) rule: &'static Rule,
    pub(crate) findings: &'a mut Vec<Finding>,
}

impl<'a> Context<'a> {
    /// The statement, where the piece is one.
    #[must_use]
    pub fn statement(&self) -> Option<&'a Statement<'a>> {
        match self.subject {
            Subject::Statement(statement) => Some(statement),
            _ => None,
        }
    }

    /// The statement with its root node.
    #[must_use]
    pub fn node(&self) -> Option<(&'a Statement<'a>, &'a NodeEnum)> {
        self.statement().map(|statement| (statement, statement.node()))
    }

    /// The live server, where the subject is one.
    #[must_use]
    pub fn server(&self) -> Option<&'a Server> {
        match self.subject {
            Subject::Server { server, .. } => Some(server),
            _ => None,
        }
    }

    /// The object's words for messages, with the schema that an unqualified name means here.
    #[must_use]
    pub fn describe(&self, object: &Object) -> String {
        if object.word == "large object" {
            // A number, in no schema.
            return format!("{} {}", object.word, object.id.name);
        }
        Object { word: object.word, id: self.facts.resolved(&object.id) }.to_string()
    }

    /// The identity of an object with the schema that an unqualified name means here.
    #[must_use]
    pub fn resolved(&self, id: &ObjectId) -> ObjectId {
        self.facts.resolved(id)
    }

    /// The object that the statement creates, with the schema in which it does.
    #[must_use]
    pub fn created(&self, node: &NodeEnum) -> Option<Object> {
        self.facts.created(node)
    }

    /// True where a rule has said that the server refuses the statement, and that it can be removed.
    #[must_use]
    pub(crate) fn is_removed(&self) -> bool {
        let removes = |finding: &Finding| {
            finding.severity == Severity::Error && finding.fix.as_deref().is_some_and(Fix::only_removes)
        };
        self.findings.iter().any(removes)
    }

    /// Notes what is not judged of the statement.
    pub(crate) fn not_judged(&mut self, what: Unjudged) {
        if let Some(statement) = self.statement() {
            let place = statement.place(&statement.range());
            self.states.of::<NotJudgedList>().add(what, place);
        }
    }

    /// Reports a finding.
    pub fn report(&mut self, draft: Draft) {
        let mut draft = draft;
        let (place, whole, shown) = match self.subject {
            Subject::Statement(statement) => {
                let range = draft.range.clone().unwrap_or_else(|| statement.body());
                let masks = draft.hide(statement.sql(), statement.secrets().to_vec());
                let place = statement.place(&range);
                let shown = excerpt(statement.sql(), statement.at(), &range, &masks);
                (place, statement.span(&statement.range()), shown)
            }
            Subject::Unparsed { sql, error, place, .. } => {
                let is_large = matches!(error, ParseError::TooLarge | ParseError::TooDeep);
                let sql = if is_large { beginning(sql) } else { sql };
                let range = draft.range.clone().unwrap_or(0..sql.len());
                let at = crate::text::Position { line: place.line, column: place.column };
                let begin = crate::text::position(sql.as_bytes(), at, range.start);
                let span =
                    crate::text::Span::new(range.start as u64, range.end as u64).shifted(place.span.start);
                let tokens = if is_large { Tokens::default() } else { Tokens::scan(sql) };
                let masks = draft.hide(sql, secrets::masks(sql, tokens.as_slice()));
                let shown = excerpt(sql, at, &range, &masks);
                (Place { span, line: begin.line, column: begin.column, ..place }, place.span, shown)
            }
            Subject::Meta { text, place } | Subject::Noise { text, place } => {
                let at = crate::text::Position { line: place.line, column: place.column };
                let masks = draft.hide(text, secrets::masks(text, &[]));
                (place, place.span, excerpt(text, at, &(0..text.len()), &masks))
            }
            Subject::Row(row) => {
                let range = draft.range.clone().unwrap_or(0..row.text.len());
                let start = crate::text::Position { line: row.place.line, column: row.place.column };
                let begin = crate::text::position(row.text.as_bytes(), start, range.start);
                let span = crate::text::Span::new(range.start as u64, range.end as u64);
                let place = Place {
                    span: span.shifted(row.place.span.start),
                    line: begin.line,
                    column: begin.column,
                    ..row.place
                };
                let masks = draft.hide(&row.text, secrets::masks_in_text(&row.text));
                (place, row.place.span, excerpt(&row.text, start, &range, &masks))
            }
            Subject::Unmoved(unmoved) => (unmoved.place, unmoved.place.span, unmoved.excerpt.clone()),
            Subject::End { place } | Subject::Server { place, .. } => {
                (place, place.span, Excerpt { line: place.line, text: Box::default(), start: 0, end: 0 })
            }
        };
        let fix = draft.fix.map(|fix| {
            Box::new(Fix {
                title: fix.title.into(),
                safety: fix.safety,
                present: fix.present,
                lost: fix.lost.map(Into::into),
                action: match fix.action {
                    ActionDraft::Remove => Action::Remove { span: whole },
                    ActionDraft::Edit { edits, changes } => {
                        let offset = whole.start;
                        let edits = edits
                            .into_iter()
                            .map(|(range, text)| {
                                let span = crate::text::Span::new(range.start as u64, range.end as u64);
                                Edit { span: span.shifted(offset), text }
                            })
                            .collect();
                        Action::Edit { edits, changes }
                    }
                    ActionDraft::Surround { before, after } => {
                        Action::Surround { before, after, span: whole }
                    }
                    ActionDraft::Replace { with } => Action::Replace { span: whole, with },
                },
            })
        });
        let makes = draft.object.as_deref().and_then(|object| self.makes(object));
        self.findings.push(Finding {
            rule: self.rule,
            severity: draft.severity.unwrap_or(self.rule.severity),
            own_severity: None,
            allowed: None,
            object: draft.object.map(Into::into),
            place,
            message: draft.message.into(),
            server_error: draft.server_error,
            advice: draft.advice.map(Into::into),
            cause: draft.cause,
            related: draft.related.into(),
            solved: false,
            needs_rows: draft.needs_rows,
            can_go: false,
            makes,
            fix,
            excerpt: shown,
        });
    }

    /// What of an object the statement makes, where it neither creates it nor is all of it.
    fn makes(&self, object: &str) -> Option<&'static str> {
        let (_, node) = self.node()?;
        let of = subject(node).filter(|_| created(node).is_none())?;
        (self.describe(&of) == object).then_some(match node {
            NodeEnum::CopyStmt(_) | NodeEnum::InsertStmt(_) | NodeEnum::RefreshMatViewStmt(_) => "rows of",
            NodeEnum::CommentStmt(_) => "comment on",
            NodeEnum::GrantStmt(_) => "privileges on",
            NodeEnum::AlterOwnerStmt(_) => "owner of",
            _ => "change of",
        })
    }
}

/// What is shown of a text that is too large to be read.
fn beginning(sql: &str) -> &str {
    const SHOWN: usize = 200;
    let line = sql.lines().next().unwrap_or_default();
    line.char_indices().nth(SHOWN).and_then(|(end, _)| line.get(..end)).unwrap_or(line)
}

/// A finding in the making.
#[derive(Debug)]
pub struct Draft {
    message: String,
    severity: Option<Severity>,
    range: Option<Range<usize>>,
    object: Option<String>,
    server_error: Option<ServerError>,
    advice: Option<String>,
    cause: Option<Box<Cause>>,
    related: Vec<Related>,
    needs_rows: bool,
    fix: Option<FixDraft>,
}

impl Draft {
    /// Says what will happen. Without [`Draft::at`] the place is the whole statement.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            severity: None,
            range: None,
            object: None,
            server_error: None,
            advice: None,
            cause: None,
            related: Vec::new(),
            needs_rows: false,
            fix: None,
        }
    }

    /// Takes what is secret in `text` out of all that is said about it. The change itself keeps it: it goes into the dump.
    fn hide(&mut self, text: &str, masks: Vec<Range<usize>>) -> Vec<Range<usize>> {
        if masks.is_empty() {
            return masks;
        }
        let values = secrets::of_masks(text, &masks);
        let hide = |said: &mut String| *said = secrets::without_values(said, &values);
        hide(&mut self.message);
        self.object.iter_mut().chain(&mut self.advice).for_each(hide);
        for related in &mut self.related {
            related.message = secrets::without_values(&related.message, &values).into();
        }
        self.cause.iter_mut().for_each(|cause| hide(&mut cause.object));
        if let Some(fix) = &mut self.fix {
            hide(&mut fix.title);
            fix.lost.iter_mut().for_each(hide);
        }
        if let Some(error) = &mut self.server_error {
            error.each_text(hide);
        }
        masks
    }

    /// Says it in other words.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// Milder than the rule's own severity.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }

    /// The bytes in the statement that it is about.
    #[must_use]
    pub fn at(mut self, range: Range<usize>) -> Self {
        self.range = Some(range);
        self
    }

    /// The object that it is about.
    #[must_use]
    pub fn object(mut self, object: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self
    }

    /// What the server answers.
    #[must_use]
    pub fn server(mut self, error: ServerError) -> Self {
        self.server_error = Some(error);
        self
    }

    /// What to do in this case.
    #[must_use]
    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// It follows from another finding.
    #[must_use]
    pub fn cause(mut self, cause: Option<Cause>) -> Self {
        self.cause = cause.map(Box::new);
        self
    }

    /// Another place that belongs to it.
    #[must_use]
    pub fn related(mut self, place: Place, message: impl Into<ArcStr>) -> Self {
        self.related.push(Related { place, message: message.into() });
        self
    }

    /// It is about the rows of this COPY: without any it is withdrawn.
    #[must_use]
    pub fn needs_rows(mut self) -> Self {
        self.needs_rows = true;
        self
    }

    /// The finding of a fact whose statement has gone by.
    pub(crate) fn without_statement(self, rule: &'static Rule, place: Place) -> Finding {
        Finding {
            rule,
            severity: self.severity.unwrap_or(rule.severity),
            own_severity: None,
            allowed: None,
            object: self.object.map(Into::into),
            place,
            message: self.message.into(),
            server_error: self.server_error,
            advice: self.advice.map(Into::into),
            cause: self.cause,
            related: self.related.into(),
            solved: false,
            needs_rows: false,
            can_go: false,
            makes: None,
            fix: None,
            excerpt: Excerpt { line: place.line, text: Box::default(), start: 0, end: 0 },
        }
    }

    /// The fix.
    #[must_use]
    pub fn fix(mut self, fix: FixDraft) -> Self {
        self.fix = Some(fix);
        self
    }
}

#[derive(Debug)]
enum ActionDraft {
    Remove,
    Edit { edits: Vec<(Range<usize>, String)>, changes: Vec<Change> },
    Surround { before: Vec<String>, after: Vec<String> },
    Replace { with: Vec<String> },
}

/// A fix in the making. Safe unless [`FixDraft::review`] says otherwise.
#[derive(Debug)]
pub struct FixDraft {
    title: String,
    safety: Safety,
    present: bool,
    lost: Option<String>,
    action: ActionDraft,
}

/// A fix's title is an imperative.
fn for_reason(reason: &str) -> String {
    format!("Remove it: {reason}")
}

impl FixDraft {
    fn new(title: impl Into<String>, action: ActionDraft) -> Self {
        Self { title: title.into(), safety: Safety::Safe, present: false, lost: None, action }
    }

    /// Removes the statement (a COPY with its data), for this reason: `the target has no tablespaces of its users`.
    pub fn remove(reason: impl AsRef<str>) -> Self {
        Self::removal(for_reason(reason.as_ref()))
    }

    /// Removes the statement, under this title: `Remove it together with extension hll`.
    pub fn removal(title: impl Into<String>) -> Self {
        Self::new(title, ActionDraft::Remove)
    }

    /// Removes parts of the statement, for this reason: see [`FixDraft::delete`].
    pub fn without(reason: impl AsRef<str>) -> Self {
        Self::edit(for_reason(reason.as_ref()))
    }

    /// Changes parts of the statement: see [`FixDraft::delete`] and its like.
    pub fn edit(title: impl Into<String>) -> Self {
        Self::new(title, ActionDraft::Edit { edits: Vec::new(), changes: Vec::new() })
    }

    /// Runs other statements before and after it. Each ends with a semicolon.
    pub fn surround(title: impl Into<String>, before: Vec<String>, after: Vec<String>) -> Self {
        Self::new(title, ActionDraft::Surround { before, after })
    }

    /// Puts other statements in its place. Each ends with a semicolon.
    pub fn replace_with(title: impl Into<String>, with: Vec<String>) -> Self {
        Self::new(title, ActionDraft::Replace { with })
    }

    /// Says in other words what it does.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Needs a person's look before it is applied.
    #[must_use]
    pub fn review(mut self) -> Self {
        self.safety = Safety::Review;
        self
    }

    /// What the statement would make is on the target without it.
    #[must_use]
    pub fn present(mut self) -> Self {
        self.present = true;
        self
    }

    /// Says what the target will not have after it.
    #[must_use]
    pub fn lost(mut self, lost: impl Into<String>) -> Self {
        self.lost = Some(lost.into());
        self
    }

    /// Deletes these bytes of the statement.
    #[must_use]
    pub fn delete(self, range: Range<usize>) -> Self {
        self.replace(range, "")
    }

    /// Replaces these bytes of the statement.
    #[must_use]
    pub fn replace(mut self, range: Range<usize>, text: impl Into<String>) -> Self {
        if let ActionDraft::Edit { edits, .. } = &mut self.action {
            edits.push((range, text.into()));
        }
        self
    }

    /// Says what the tree must lose or change by the edits: the proof.
    #[must_use]
    pub fn change(mut self, change: Change) -> Self {
        if let ActionDraft::Edit { changes, .. } = &mut self.action {
            changes.push(change);
        }
        self
    }
}
