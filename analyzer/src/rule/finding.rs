//! A finding: one place of a dump where the target will not do what the source did.

use arcstr::ArcStr;

use super::Rule;
use crate::edit::{Action, Fix};
use crate::finding::{Excerpt, Place, Related, ServerError, Severity};
use crate::options::Options;

/// The cause of a finding: another finding, whose statement leaves an object missing.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// The rule that found it.
    pub rule: &'static Rule,
    /// The object that is missing, such as `extension hll`.
    pub object: String,
    /// The statement that would have created it.
    pub place: Place,
}

/// A finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The rule that found it.
    pub rule: &'static Rule,
    /// How bad it is here (a rule may be milder in some cases), or what the options say instead.
    pub severity: Severity,
    /// How bad the rule itself says it is, where the options say otherwise.
    pub own_severity: Option<Severity>,
    /// A comment in the dump allows it: the reason that it gives, which may be empty. It does not count.
    pub allowed: Option<ArcStr>,
    /// The object it is about, such as `table app.orders`.
    pub object: Option<Box<str>>,
    /// Where it is.
    pub place: Place,
    /// What will happen.
    pub message: Box<str>,
    /// What the server answers, where it refuses.
    pub server_error: Option<ServerError>,
    /// What to do in this case, where the rule's own advice is not the whole answer.
    pub advice: Option<ArcStr>,
    /// The finding that it follows from.
    pub cause: Option<Box<Cause>>,
    /// Other places, such as what depends on it.
    pub related: Box<[Related]>,
    /// True where the rewrite fixes it: its fix was applied and proved.
    pub solved: bool,
    /// The change that solves it.
    pub fix: Option<Box<Fix>>,
    /// It stands only where rows follow the COPY that it is about.
    pub(crate) needs_rows: bool,
    /// The statement can be left out where its rule is accepted: it had not gone by when the finding was made.
    pub(crate) can_go: bool,
    /// What of the object the statement makes, where that is not all of it: `rows of`.
    pub(crate) makes: Option<&'static str>,
    /// The dump's own lines there.
    pub excerpt: Excerpt,
}

impl Finding {
    /// True where the statement fails and nobody has said that this is fine: whatever it is reported as.
    #[must_use]
    pub fn fails(&self) -> bool {
        self.own_severity.unwrap_or(self.severity) == Severity::Error && self.allowed.is_none()
    }

    /// Makes a warning of a risk that a person has accepted, and has not left at its place. `file` is the name of its input.
    pub(crate) fn take_risk(&mut self, options: &Options, file: &str) {
        if self.rule.is_a_risk
            && self.severity == Severity::Error
            && self.rule.is_accepted(options)
            && !options.leaves(self.rule.id, file, self.place.line)
        {
            self.severity = Severity::Warning;
        }
    }

    /// What the target does not have where the statement is left out: the object that it is about, or the statement.
    #[must_use]
    pub fn left_out(&self) -> String {
        match (&self.object, self.makes) {
            (Some(object), Some(part)) => format!("{part} {object}"),
            (Some(object), None) => object.to_string(),
            (None, _) => format!("the statement on line {}", self.place.line),
        }
    }

    /// Adds another place.
    pub(crate) fn relate(&mut self, place: Place, message: ArcStr) {
        let mut all = std::mem::take(&mut self.related).into_vec();
        all.push(Related { place, message });
        self.related = all.into();
    }

    /// Gives back memory that was taken for growing: there may be hundreds of thousands of findings.
    pub(crate) fn shrink(&mut self) {
        if let Some(Action::Edit { edits, changes }) = self.fix.as_mut().map(|fix| &mut fix.action) {
            edits.shrink_to_fit();
            // They were for the proof, and that is over.
            *changes = Vec::new();
        }
    }
}
