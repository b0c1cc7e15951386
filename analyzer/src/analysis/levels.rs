//! Levels: what a rule's findings count as, where options or comments of the dumps say so.

use std::collections::BTreeSet;

use super::state::Pass;
use crate::edit::{Action, Fix};
use crate::finding::Severity;
use crate::rewrite;
use crate::rule::{Finding, NotJudgedList, Subject, Unjudged};
use crate::rules;

impl Pass<'_> {
    /// Removes the statements of which a rule has said at the end that they are to go. No other finding about them matters but
    /// what others add around them, on which later statements count.
    pub(super) fn remove_late(&mut self) {
        let at = |finding: &Finding| (finding.place.input, finding.place.statement);
        let (inputs, findings) = (&self.analysis.inputs, &mut self.analysis.findings);
        // All others were chosen when their statements came.
        let is_late = |finding: &mut Finding| {
            let file = inputs.get(finding.place.input).map_or("", |input| input.name.as_str());
            !finding.solved
                && finding.fix.as_deref().is_some_and(Fix::only_removes)
                && rewrite::is_wanted(finding, self.options, file)
        };
        // In place: there may be hundreds of thousands.
        let late: Vec<_> = findings.extract_if(.., is_late).collect();
        let removed: BTreeSet<_> = late.iter().map(at).collect();
        let is_gone = |finding: &mut Finding| {
            let adds = finding.fix.as_ref().is_some_and(|fix| matches!(fix.action, Action::Surround { .. }));
            !adds && removed.contains(&at(finding))
        };
        let gone: Vec<_> = findings.extract_if(.., is_gone).collect();
        for mut finding in late {
            finding.solved = true;
            // Without it the statement would fail all the same.
            let worse =
                gone.iter().find(|other| at(other) == at(&finding) && other.severity == Severity::Error);
            if let Some(worse) = worse.filter(|_| finding.severity < Severity::Error) {
                finding.severity = Severity::Error;
                finding.server_error.clone_from(&worse.server_error);
            }
            findings.push(finding);
        }
    }

    /// Applies the allowances and levels to all findings.
    pub(super) fn apply_levels(&mut self) {
        self.allowances.mark_late(&mut self.analysis.findings);
        let allowances = std::mem::take(&mut self.allowances);
        for unused in allowances.unused() {
            let subject = Subject::Noise { text: unused.comment, place: unused.place };
            self.context(&rules::input::in_13_allowance::RULE, subject, |context| {
                rules::input::in_13_allowance::report_unused(context, &unused);
            });
        }
        // What is known at the end alone can be a risk, too.
        for finding in &mut self.analysis.findings {
            let input = self.analysis.inputs.get(finding.place.input);
            finding.take_risk(self.options, input.map_or("", |input| &input.name));
        }
        if self.options.levels.is_empty() {
            return;
        }
        let Self { analysis, states, options, .. } = self;
        analysis.findings.retain(|finding| {
            let is_off = options.is_off(finding.rule.id);
            if is_off && finding.severity == Severity::Error {
                states.of::<NotJudgedList>().add(Unjudged::Settings, finding.place);
            }
            !is_off
        });
        for finding in &mut self.analysis.findings {
            if let Some(severity) = self.options.severity(finding.rule.id).filter(|s| *s != finding.severity)
            {
                finding.own_severity = Some(std::mem::replace(&mut finding.severity, severity));
            }
        }
    }
}
