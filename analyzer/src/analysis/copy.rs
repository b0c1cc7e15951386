//! The rows of a COPY: whether there are any decides some findings, and they go together with their COPY.

use super::state::Pass;
use crate::edit::{Action, Safety};
use crate::facts::row_shape::RowShape;
use crate::rewrite;
use crate::rule::{Finding, Subject};
use crate::split::Piece;

impl Pass<'_> {
    /// Takes some rows of the COPY.
    pub(super) fn copy_rows(&mut self, piece: &Piece<'_>) {
        self.copy.needs_rows.clear();
        self.copy.without_rows = None;
        self.extend_removal(piece.span.end);
        self.read_rows(piece);
        self.analysis.facts.fill();
    }

    /// Takes the line that ends the rows.
    pub(super) fn copy_end(&mut self, piece: &Piece<'_>) {
        self.withdraw();
        self.leave_out_without_rows();
        self.extend_removal(piece.span.end);
        self.copy.removal = None;
        // Rows of a \copy that follow are another matter.
        self.copy.bytes.shape = RowShape::default();
    }

    /// Rows of an extension's own tables say what the source is, and some need a change.
    fn read_rows(&mut self, piece: &Piece<'_>) {
        let Some(mut reader) = self.copy.reader.take() else { return };
        let removed = self.copy.removal.is_some();
        reader.feed(piece.text, piece.span.start, piece.at, &mut |row| {
            let findings = if removed { Vec::new() } else { self.check(Subject::Row(&row)) };
            for mut finding in findings {
                finding.solved = rewrite::is_wanted(&finding, self.options, &self.file());
                self.keep(finding);
            }
            self.analysis.facts.take_row(&row);
        });
        self.copy.reader = Some(reader);
    }

    /// Withdraws the findings that need rows: the COPY has none.
    fn withdraw(&mut self) {
        while let Some(index) = self.copy.needs_rows.pop() {
            self.analysis.findings.remove(index);
            self.copy.removal = None;
        }
    }

    /// A COPY without rows that fails may go without a question: nothing is lost with it.
    fn leave_out_without_rows(&mut self) {
        let Some(first) = self.copy.without_rows.take() else { return };
        let removable = |finding: &Finding| {
            let fix = finding.fix.as_deref();
            !finding.solved && fix.is_some_and(|fix| fix.safety == Safety::Review && fix.only_removes())
        };
        let Some(index) = (first..self.analysis.findings.len())
            .find(|index| self.analysis.findings.get(*index).is_some_and(removable))
        else {
            return;
        };
        let mut finding = self.analysis.findings.swap_remove(index);
        self.analysis.findings.truncate(first);
        finding.solved = true;
        if let Some(fix) = &mut finding.fix {
            fix.safety = Safety::Safe;
            fix.lost = None;
        }
        self.analysis.findings.push(finding);
        self.copy.removal = Some(first);
    }

    /// The rows go together with a COPY that was removed.
    fn extend_removal(&mut self, end: u64) {
        let finding = self.copy.removal.and_then(|index| self.analysis.findings.get_mut(index));
        if let Some(Action::Remove { span }) = finding.and_then(|f| f.fix.as_mut()).map(|fix| &mut fix.action)
        {
            span.end = span.end.max(end);
        }
    }
}
