//! What findings are made of: severities, places, excerpts and the words of the server.

use std::ops::Deref;
use std::sync::Arc;

use arcstr::ArcStr;
use serde::Serialize;

use crate::text::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Advice.
    Note,
    /// It restores, but something behaves differently or is lost.
    Warning,
    /// The statement fails on the target.
    Error,
}

impl Severity {
    /// The word that reports use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What the server answers. Cheap to copy: the same answer to many statements is kept once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerError(Arc<Answer>);

/// The words of a server's answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Answer {
    /// The five characters of the error's class and code.
    pub sqlstate: &'static str,
    /// The message.
    pub text: String,
    /// The DETAIL line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The HINT line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What does not exist, where a person can create it first.
    #[serde(skip)]
    pub missing: Option<Missing>,
}

/// Something that does not exist, by its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Missing {
    /// A role.
    Role(MissingName),
    /// A schema.
    Schema(MissingName),
}

/// The name of what does not exist.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MissingName {
    /// The name, with `_` in the place of bytes that are no UTF-8.
    pub name: String,
    /// True where that is the name itself, so that SQL can be written with it.
    pub is_exact: bool,
}

impl MissingName {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), is_exact: true }
    }
}

impl Deref for ServerError {
    type Target = Answer;

    fn deref(&self) -> &Answer {
        &self.0
    }
}

impl Serialize for ServerError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().serialize(serializer)
    }
}

impl ServerError {
    /// An answer without detail and hint.
    pub fn new(sqlstate: &'static str, text: impl Into<String>) -> Self {
        Self(Arc::new(Answer { sqlstate, text: text.into(), detail: None, hint: None, missing: None }))
    }

    /// The answer where a role does not exist.
    #[must_use]
    pub fn missing_role(name: &str) -> Self {
        Self::missing(
            "42704",
            format!("role \"{name}\" does not exist"),
            Missing::Role(MissingName::new(name)),
        )
    }

    /// The answer where a schema does not exist.
    #[must_use]
    pub fn missing_schema(name: &str) -> Self {
        Self::missing(
            "3F000",
            format!("schema \"{name}\" does not exist"),
            Missing::Schema(MissingName::new(name)),
        )
    }

    fn missing(sqlstate: &'static str, text: String, missing: Missing) -> Self {
        Self(Arc::new(Answer { sqlstate, text, detail: None, hint: None, missing: Some(missing) }))
    }

    /// The answer as psql shows it: `ERROR 42501: …`, or WARNING where its class is one of warnings (01).
    #[must_use]
    pub fn shown(&self) -> String {
        let level = if self.sqlstate.starts_with("01") { "WARNING" } else { "ERROR" };
        format!("{level} {}: {}", self.sqlstate, self.text)
    }

    /// With a DETAIL line.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.0).detail = Some(detail.into());
        self
    }

    /// What is missing is not exactly what was read, where the statement's bytes do not have it.
    pub(crate) fn compare_name(&mut self, statement: &[u8]) {
        let Some(Missing::Role(known) | Missing::Schema(known)) = &self.0.missing else { return };
        if memchr::memmem::find(statement, known.name.as_bytes()).is_some() {
            return;
        }
        if let Some(Missing::Role(known) | Missing::Schema(known)) = &mut Arc::make_mut(&mut self.0).missing {
            known.is_exact = !known.name.contains('_');
        }
    }

    /// Changes each of its texts, where one changes.
    pub(crate) fn each_text(&mut self, change: impl Fn(&mut String)) {
        let mut new = (*self.0).clone();
        change(&mut new.text);
        new.detail.iter_mut().chain(&mut new.hint).for_each(&change);
        // Else the same answer stays kept once.
        if new != *self.0 {
            self.0 = Arc::new(new);
        }
    }

    /// With a HINT line.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.0).hint = Some(hint.into());
        self
    }
}

/// A place in one of the inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// Which input, from 0.
    pub input: usize,
    /// The statement's number in that input, from 1; 0 where it is no statement.
    pub statement: u32,
    /// The bytes.
    pub span: Span,
    /// The line of its first byte, from 1.
    pub line: u64,
    /// The column of its first byte, from 1, in characters.
    pub column: u32,
}

impl Place {
    /// A statement's number as places have it: the last that they can tell stands for all after it.
    #[must_use]
    pub fn number(statement: u64) -> u32 {
        u32::try_from(statement).unwrap_or(u32::MAX)
    }
}

/// Another place that belongs to a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Related {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What is there.
    pub message: ArcStr,
}

/// The lines of the dump that a finding points into, secrets masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Excerpt {
    /// The number of its first line.
    pub line: u64,
    /// The text, at most a few lines.
    pub text: Box<str>,
    /// First byte of the marked part in `text`.
    pub start: u32,
    /// One past the last byte of the marked part.
    pub end: u32,
}

impl Excerpt {
    /// The marked bytes of `text`.
    #[must_use]
    pub const fn marked(&self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Why a place is not moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// A text speaks of a schema that moves.
    Text,
    /// SQL that is put together when it runs.
    Dynamic,
    /// Unqualified names whose `search_path` cannot be set where they stand.
    Path,
    /// Rows that are names of objects.
    Rows,
    /// A setting that two databases have.
    Shared,
    /// A function that looks for names in `public` of the service, which others may create in.
    Open,
}

/// A place that may have to change, and that nothing proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmoved {
    /// Why.
    pub why: Why,
    /// Where.
    pub place: Place,
    /// What it is in, such as `function public.f`.
    pub object: Option<String>,
    /// The dump's own lines there.
    pub excerpt: Excerpt,
}

/// SQL that the analysis wrote for a person to run, such as what recreates hypertables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Script {
    /// The rule that wrote it.
    pub rule: &'static str,
    /// A name for its file, such as `hypertables.sql`.
    pub file: &'static str,
    /// What it does and when to run it, in one line.
    pub title: String,
    /// Its text: statements with comments, in the order to run them in. Reports show it with secrets masked.
    #[serde(serialize_with = "crate::secrets::shown")]
    pub sql: String,
}
