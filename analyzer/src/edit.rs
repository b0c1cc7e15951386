//! Changes to the bytes of a dump, and how far each can be trusted.

use arcstr::ArcStr;
use serde::Serialize;

use crate::parse::Change;
use crate::text::Span;

/// How safe it is to apply a fix without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Safety {
    /// There is no fix.
    None,
    /// A person should look: something is lost that the application may need.
    Review,
    /// The result behaves the same on the target, or loses only what the target cannot have anyway.
    Safe,
}

/// A change of bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Edit {
    /// What is replaced. An empty range inserts.
    pub span: Span,
    /// The text put there. Reports show it with secrets masked.
    #[serde(serialize_with = "crate::secrets::shown")]
    pub text: String,
}

impl Edit {
    /// Removes a range.
    #[must_use]
    pub const fn delete(span: Span) -> Self {
        Self { span, text: String::new() }
    }

    /// Puts `text` before the byte at `at`.
    #[must_use]
    pub fn insert(at: u64, text: impl Into<String>) -> Self {
        Self { span: Span::new(at, at), text: text.into() }
    }

    /// Puts `text` in the place of a range.
    #[must_use]
    pub fn replace(span: Span, text: impl Into<String>) -> Self {
        Self { span, text: text.into() }
    }
}

/// What a fix does.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Action {
    /// Takes the range out: it stays in the output as a comment, or is deleted where that was asked for.
    /// A COPY goes together with its data.
    Remove {
        /// The whole statement (meta-command, stray line) and its data.
        span: Span,
    },
    /// Changes the statement.
    Edit {
        /// The bytes that change, none overlapping another. Empty where an earlier fix does the work.
        edits: Vec<Edit>,
        /// What the tree of the statement must lose or change by it, and nothing else.
        #[serde(skip)]
        changes: Vec<Change>,
    },
    /// Leaves the statement alone and runs others before and after it.
    Surround {
        /// Statements before, each with its semicolon.
        #[serde(serialize_with = "crate::secrets::all_shown")]
        before: Vec<String>,
        /// Statements after.
        #[serde(serialize_with = "crate::secrets::all_shown")]
        after: Vec<String>,
        /// The statement that they stand around.
        span: Span,
    },
    /// Puts other statements in its place.
    Replace {
        /// The statement that goes.
        span: Span,
        /// The statements that come, each with its semicolon.
        #[serde(serialize_with = "crate::secrets::all_shown")]
        with: Vec<String>,
    },
}

/// A fix for a finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fix {
    /// What it does, in a few words ("remove NOSUPERUSER").
    #[cfg_attr(test, schemars(with = "String"))]
    pub title: ArcStr,
    /// Whether it may be applied without asking.
    pub safety: Safety,
    /// The change itself.
    #[serde(flatten)]
    pub action: Action,
    /// What the statement would create is on the target without it: nothing that needs it is in trouble.
    #[serde(skip)]
    pub present: bool,
    /// What the target will not have after it, in words for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<Box<str>>,
}

impl Fix {
    /// True where it removes the statement, and nothing takes its place.
    #[must_use]
    pub const fn only_removes(&self) -> bool {
        matches!(self.action, Action::Remove { .. })
    }

    /// True where it removes the statement, be it that others take its place.
    #[must_use]
    pub const fn removes_statement(&self) -> bool {
        matches!(self.action, Action::Remove { .. } | Action::Replace { .. })
    }
}
