//! Levels: what a rule's findings count as, where options or comments of the dumps say so.

use super::state::Pass;
use crate::finding::Severity;
use crate::rule::{NotJudgedList, Subject, Unjudged};
use crate::rules;

impl Pass<'_> {
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
