//! From solved findings to the changes of each input.

use super::result::{Analysis, LeftOutSection};
use crate::rewrite::{Planned, plan_fix};
use crate::rules;
use crate::text::Span;

impl Analysis {
    /// Turns the solved findings into changes of the inputs.
    pub(super) fn plan(&mut self, orphans: &[(usize, Span)]) {
        for finding in self.findings.iter().filter(|finding| finding.solved) {
            let Some(fix) = &finding.fix else { continue };
            let Some(input) = self.inputs.get_mut(finding.place.input) else { continue };
            plan_fix(&mut input.planned, finding.rule.id, fix);
        }
        for LeftOutSection { input, span, database } in &self.left_out {
            // Nothing stands between two statements about roles.
            if span.start == span.end {
                continue;
            }
            if let Some(input) = self.inputs.get_mut(*input) {
                let rule = rules::database::db_02_multiple_databases::RULE.id;
                // The title becomes a line of a comment.
                let title = format!("left out: database {}", database.replace(['\n', '\r'], " "));
                input.planned.push(Planned::Remove { span: *span, rule, title });
            }
        }
        for (index, input) in self.inputs.iter_mut().enumerate() {
            if !orphans.is_empty() {
                rules::timescaledb::ts_04_schema_only::plan(orphans, index, &mut input.planned);
            }
            // Statements were planned in their order; additions before a statement stay before its edits.
            input.planned.sort_by_key(|planned| (planned.span().start, planned.span().end));
            input.planned.dedup();
        }
    }
}
