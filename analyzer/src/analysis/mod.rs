//! Analysis: one forward pass over the inputs, from pieces of text to facts, findings and planned changes.
//!
//! | file | what it does |
//! |---|---|
//! | `session` | begins, feeds and ends inputs: [`Analyzer`] |
//! | `pass` | takes the pieces of an input in their order, and has the rules look at each |
//! | `sections` | keeps one database of a cluster dump |
//! | `copy` | what the rows of a COPY decide, and what goes with them |
//! | `statement` | chooses the fixes of one statement, edits it, and proves the result |
//! | `comments`, `allowances` | what comments of the dumps allow |
//! | `levels` | what a rule's findings count as |
//! | `plan` | turns solved findings into changes of the inputs |

mod allowances;
mod comments;
mod copy;
mod levels;
mod pass;
mod plan;
mod sections;
mod session;
mod statement;

pub use session::Analyzer;

use crate::facts::Facts;
use crate::finding::{Finding, Script};
use crate::input::InputError;
use crate::options::Options;
use crate::rewrite::{self, Planned, Rewriter, Style};
use crate::target::Target;
use sections::LeftOutSection;

/// A text with its name.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// What to call it in reports: a file's path as the person gave it.
    pub name: &'a str,
    /// Its bytes.
    pub text: &'a [u8],
}

/// What is known of one input after the pass.
#[derive(Clone, Debug, Default)]
pub struct InputSummary {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// How many statements it holds.
    pub statements: u64,
    /// Changes, in the order of its bytes.
    pub planned: Vec<Planned>,
}

/// The result of a pass.
#[derive(Debug, Default)]
pub struct Analysis {
    /// All findings, in the order of the inputs and of their bytes.
    pub findings: Vec<Finding>,
    /// What the inputs declare.
    pub facts: Facts,
    /// The inputs.
    pub inputs: Vec<InputSummary>,
    /// Scripts that rules wrote for a person to run.
    pub scripts: Vec<Script>,
    /// Sections of other databases, left out.
    left_out: Vec<LeftOutSection>,
}

impl Analysis {
    /// Errors that the rewrite does not solve.
    pub fn unsolved(&self) -> impl Iterator<Item = &Finding> {
        rewrite::unsolved(&self.findings)
    }

    /// A rewriter for one input, to be fed with the same bytes again.
    #[must_use]
    pub fn rewriter(&self, input: usize, style: Style) -> Rewriter<'_> {
        Rewriter::new(self.inputs.get(input).map_or(&[], |input| &input.planned), style)
    }

    /// One input's text, rewritten.
    #[must_use]
    pub fn rewritten(&self, input: usize, text: &[u8]) -> Vec<u8> {
        let mut rewriter = self.rewriter(input, Style::Comment);
        let mut out = Vec::with_capacity(text.len());
        rewriter.feed(text, &mut out);
        rewriter.finish(&mut out);
        out
    }
}

/// Analyses texts that are in memory.
///
/// # Errors
/// [`InputError`] where an input is not a whole dump in text form.
pub fn analyze(inputs: &[Input<'_>], target: &Target, options: &Options) -> Result<Analysis, InputError> {
    let mut analyzer = Analyzer::new(target, options);
    for input in inputs {
        analyzer.begin(input.name);
        analyzer.feed(input.text)?;
        analyzer.end()?;
    }
    Ok(analyzer.finish())
}
