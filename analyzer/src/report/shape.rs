//! The parts of a report that are said once: the answer, the numbers, what was analysed and for what.

use serde::Serialize;

use crate::options::Level;
use crate::rule::Unjudged;
use crate::text::Span;

/// The answer to "can this be restored?".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No statement fails.
    Ready,
    /// Every statement that fails is fixed by the rewrite.
    ReadyAfterRewrite,
    /// Some statement fails that the rewrite does not fix.
    NeedsWork,
}

/// How many findings there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Counts {
    /// Statements that fail.
    pub error: u64,
    /// What behaves differently or is lost.
    pub warning: u64,
    /// Advice.
    pub note: u64,
    /// Errors that the rewrite fixes.
    pub solved: u64,
    /// Errors that it does not fix.
    pub unsolved: u64,
    /// Findings that comments in the dump allow: they are in no other number.
    pub allowed: u64,
    /// Statements that fail, and that the options count as less than errors.
    pub lowered: u64,
}

/// Something that was not judged. Where there is any, a verdict without open errors means that no incompatibility is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NotJudgedEntry<'a> {
    /// Its kind.
    pub kind: Unjudged,
    /// What it is, in words.
    pub what: String,
    /// How many times.
    pub count: u64,
    /// Where it is first.
    pub place: PlaceEntry<'a>,
}

/// A place in an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PlaceEntry<'a> {
    /// The input's name.
    pub file: &'a str,
    /// Its line, from 1; 0 where the input is a live server, which has no lines.
    pub line: u64,
    /// Its column, from 1, in characters.
    pub column: u64,
    /// Its bytes.
    pub span: Span,
}

impl std::fmt::Display for PlaceEntry<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => f.write_str(self.file),
            line => write!(f, "{}:{line}:{}", self.file, self.column),
        }
    }
}

/// What was analysed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Tool {
    /// `tsmigrate`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// What was analysed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TargetSummary<'a> {
    /// The destination's name.
    pub name: &'a str,
    /// Its major version of PostgreSQL.
    pub version: u32,
    /// The list of extensions that counted.
    pub extension_list: Option<ListSummary<'a>>,
    /// Extensions that it takes besides.
    pub added_extensions: &'a std::collections::BTreeSet<String>,
    /// Extensions that it does not take whatever the list says.
    pub refused_extensions: &'a std::collections::BTreeSet<String>,
}

/// A list of extensions, without its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ListSummary<'a> {
    /// Its name.
    pub name: &'a str,
    /// The day it was last seen.
    pub date: &'a str,
    /// Where it was published.
    pub source: &'a str,
}

/// One input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct InputReport<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its length in bytes.
    pub bytes: u64,
    /// How many statements it holds.
    pub statements: u64,
    /// The version of the server that was dumped.
    pub server_version: Option<&'a str>,
    /// The version of pg_dump or pg_dumpall that wrote it.
    pub dump_version: Option<&'a str>,
}

/// What a person asked for, as far as it changes what is found.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OptionsSummary<'a> {
    /// Rules whose losses are accepted.
    pub accept: &'a std::collections::BTreeSet<String>,
    /// Fixes that are not applied: `RULE`, `RULE@LINE` or `RULE@FILE:LINE`.
    pub leave: Vec<String>,
    /// The one database to keep.
    pub database: Option<&'a str>,
    /// What rules count as where it is not what they say themselves.
    pub levels: &'a std::collections::BTreeMap<&'static str, Level>,
    /// The configuration that some of it comes from.
    pub configuration: Option<&'a str>,
}
