//! The engine of the rules: what a rule is, what it sees and how it says what it found. It knows no rule.

mod context;

pub use context::{Context, Draft, FixDraft, Subject};

use crate::edit::Safety;
use crate::facts::Facts;
use crate::finding::{Finding, Place, Script, Severity};
use crate::options::Options;
use crate::rules::Memory;
use crate::target::Target;

/// What a person can read about a rule.
#[derive(Clone, Copy, Debug)]
pub struct Doc {
    /// One line: what is found.
    pub summary: &'static str,
    /// What it looks for, in full.
    pub what: &'static str,
    /// Why the target refuses it, or what is lost.
    pub why: &'static str,
    /// The server's words, with their SQLSTATE where it is known.
    pub server: &'static [&'static str],
    /// What to do.
    pub help: &'static str,
    /// A statement that the rule fires on.
    pub before: &'static str,
    /// The same after the rewrite; empty where there is none.
    pub after: &'static str,
    /// Where this is known from.
    pub sources: &'static [&'static str],
    /// A page to read on.
    pub link: &'static str,
}

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// Its id, such as `TSP-03`.
    pub id: &'static str,
    /// Its name in words: the thing that is incompatible.
    pub name: &'static str,
    /// The worst severity it reports.
    pub severity: Severity,
    /// The best fix it offers.
    pub fix: Safety,
    /// Its documentation.
    pub doc: Doc,
    /// Looks at one piece.
    pub check: fn(&mut Context<'_>),
    /// Looks at everything once the last input has ended.
    pub finish: Option<fn(&mut Finish<'_>)>,
}

/// What a rule sees at the end.
#[derive(Debug)]
pub struct Finish<'a> {
    /// Everything that the dumps declare.
    pub facts: &'a Facts,
    /// The destination.
    pub target: &'a Target,
    /// What the person asked for.
    pub options: &'a Options,
    /// What rules remembered on the way.
    pub memory: &'a Memory,
    /// All findings so far, in the order of the dump.
    pub findings: &'a mut Vec<Finding>,
    /// Scripts for a person to run.
    pub scripts: &'a mut Vec<Script>,
    pub(crate) rule: &'static Rule,
}

impl Finish<'_> {
    /// Reports a finding at the place of a fact. It has no excerpt and no fix: what it says must be enough.
    pub fn report(&mut self, place: Place, draft: Draft) {
        self.findings.push(draft.without_statement(self.rule, place));
    }

    /// Adds a script for a person to run.
    pub fn script(&mut self, file: &'static str, title: impl Into<String>, sql: impl Into<String>) {
        self.scripts.push(Script { rule: self.rule.id, file, title: title.into(), sql: sql.into() });
    }
}
