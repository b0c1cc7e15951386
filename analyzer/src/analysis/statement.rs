//! One statement: its fixes are chosen and applied, and the result is proved.

use super::state::Pass;
use crate::edit::{Action, Edit, Fix, Safety};
use crate::facts::Absence;
use crate::finding::{Place, Severity};
use crate::locate::Statement;
use crate::options::Options;
use crate::parse::{Change, Parsed};
use crate::rewrite;
use crate::rule::{Finding, Subject};
use crate::rules;
use crate::split::Piece;
use crate::text::Span;

/// Rounds of edits on one statement before it is given up as unstable.
const MAX_ROUNDS: usize = 8;

/// What comes of one statement and its findings.
#[derive(Debug)]
pub(super) struct StatementResult {
    /// Its findings, those marked that are solved.
    pub(super) findings: Vec<Finding>,
    /// Its text and tree after the edits.
    pub(super) new: Option<(String, Parsed)>,
    /// Statements to run before it.
    pub(super) before: Vec<String>,
    /// Statements to run after it, or in its place.
    pub(super) after: Vec<String>,
    /// Why what it creates will not exist on the target.
    pub(super) absence: Option<Absence>,
}

impl Pass<'_> {
    /// Chooses the fixes of a statement, applies them, and proves the result.
    pub(super) fn statement_result(
        &mut self,
        statement: &Statement<'_>,
        parsed: &Parsed,
        piece: &Piece<'_>,
        mut findings: Vec<Finding>,
    ) -> StatementResult {
        let options = self.options;
        let file = self.file();
        let wanted = |finding: &Finding| rewrite::is_wanted(finding, options, &file);
        for finding in &mut findings {
            accept_loss(finding, options, &file, statement.span(&statement.range()));
        }

        // A statement that is removed needs no other change, and no other finding matters.
        let whole =
            |finding: &Finding| wanted(finding) && finding.fix.as_deref().is_some_and(Fix::removes_statement);
        // What needs an object that will be missing goes, whatever else could be done to it.
        let chosen = findings
            .iter()
            .position(|finding| whole(finding) && is_dependent(finding))
            .or_else(|| findings.iter().position(whole));
        if let Some(index) = chosen {
            return removed(statement, findings, index);
        }

        let (mut before, mut after) = (Vec::new(), Vec::new());
        for finding in findings.iter_mut().filter(|finding| wanted(finding)) {
            if let Some(Action::Surround { before: b, after: a, .. }) =
                finding.fix.as_ref().map(|fix| &fix.action)
            {
                finding.solved = b.iter().chain(a).all(|sql| rewrite::is_statement(sql));
                if finding.solved {
                    before.extend(b.iter().cloned());
                    after.extend(a.iter().cloned());
                }
            }
        }
        let new = self.edit(statement, parsed, piece, &mut findings);
        // What is left of it after the edits may have to go.
        if new.is_some()
            && let Some(index) = findings.iter().position(|finding| !finding.solved && whole(finding))
        {
            return removed(statement, findings, index);
        }
        // What exists without the statement exists after it has failed.
        let absence = findings
            .iter()
            .find(|finding| {
                finding.fails() && !finding.solved && !finding.fix.as_ref().is_some_and(|fix| fix.present)
            })
            .map(|finding| absence_of(finding, statement, false));
        StatementResult { findings, new, before, after, absence }
    }

    /// Applies edit fixes round by round, until the rules find nothing more to edit; each round is proved.
    fn edit(
        &mut self,
        statement: &Statement<'_>,
        parsed: &Parsed,
        piece: &Piece<'_>,
        findings: &mut Vec<Finding>,
    ) -> Option<(String, Parsed)> {
        let options = self.options;
        let file = self.file();
        let wanted = |finding: &Finding| rewrite::is_wanted(finding, options, &file);
        let start = piece.span.start;
        let mut text = statement.sql().to_owned();
        let mut current: Option<(String, Parsed)> = None;
        let mut round = findings.clone();
        let mut applied: Vec<Finding> = Vec::new();
        let mut rounds = 0;
        // A second round writes the whole statement anew, which is only possible where all of it is known.
        let is_known = std::str::from_utf8(piece.text).is_ok();
        loop {
            if rounds > 0 && !is_known {
                break;
            }
            let chosen = rewrite::compatible(&round, wanted);
            let edits: Vec<&Edit> = chosen.iter().flat_map(|&index| edits_of(&round[index])).collect();
            let marks: Vec<Finding> = chosen.iter().map(|&index| round[index].clone()).collect();
            if edits.is_empty() {
                // Fixes with nothing to edit are solved by an earlier one.
                mark_solved(findings, &marks);
                break;
            }
            rounds += 1;
            let changes: Vec<_> = marks.iter().flat_map(changes_of).cloned().collect();
            let old = current.as_ref().map_or(parsed, |(_, parsed)| parsed);
            let proof = rewrite::apply(&text, start, &edits)
                // The semicolon is not in the tree, and the next statement needs it.
                .filter(|new| new.trim_end().ends_with(';') == text.trim_end().ends_with(';'))
                .and_then(|new| Some((rewrite::proved(old, &new, piece.standard_strings, &changes)?, new)));
            let Some((new_parsed, new_text)) = proof.filter(|_| rounds <= MAX_ROUNDS) else {
                for finding in findings.iter_mut().filter(|f| marks.iter().any(|m| same(m, f))) {
                    unproved(finding);
                }
                break;
            };
            applied.extend(marks.iter().cloned());
            mark_solved(findings, &marks);
            text.clone_from(&new_text);
            let again = Statement::new(
                &new_text,
                &new_parsed,
                self.input(),
                statement.place(&(0..0)).statement,
                start,
                piece.at,
            );
            let fresh = self.check(Subject::Statement(&again));
            current = Some((new_text, new_parsed));
            // What was found in the first round and cannot be edited is known already.
            let left;
            (round, left) = fresh
                .into_iter()
                .filter(|f| !applied.iter().any(|a| same_words(a, f)))
                .partition::<Vec<_>, _>(|f| edits_of(f).next().is_some());
            for finding in &round {
                if !findings.iter().any(|known| same_words(known, finding)) {
                    findings.push(finding.clone());
                }
            }
            for finding in left {
                self.add_left(statement, finding, findings);
            }
        }
        if rounds > 1
            && let Some((text, _)) = &current
        {
            one_edit(findings, &applied, piece.span, text);
        }
        current
    }
}

impl Pass<'_> {
    /// Adds what a rule finds in an edited statement only, and that no edit solves: its place is the statement as it was.
    fn add_left(&self, statement: &Statement<'_>, mut finding: Finding, findings: &mut Vec<Finding>) {
        let whole = statement.span(&statement.range());
        // A rule that keeps what statements create finds the one at hand.
        let is_here =
            |place: Place| (place.input, place.statement) == (self.input(), finding.place.statement);
        if finding.related.iter().any(|related| is_here(related.place)) {
            return;
        }
        match finding.fix.as_mut().map(|fix| &mut fix.action) {
            Some(Action::Remove { span } | Action::Replace { span, .. }) => *span = whole,
            _ => finding.fix = None,
        }
        accept_loss(&mut finding, self.options, &self.file(), whole);
        finding.place = statement.place(&statement.body());
        match findings.iter_mut().find(|known| known.rule == finding.rule) {
            // It may be removed by now.
            Some(known)
                if same_words(known, &finding)
                    && finding.fix.as_deref().is_some_and(Fix::removes_statement)
                    && rewrite::is_wanted(&finding, self.options, &self.file()) =>
            {
                *known = finding;
            }
            None if finding.fails() => findings.push(finding),
            _ => {}
        }
    }
}

/// What comes of a statement that the fix of one of its findings removes or replaces.
fn removed(statement: &Statement<'_>, mut findings: Vec<Finding>, index: usize) -> StatementResult {
    let mut finding = findings.swap_remove(index);
    let with = match finding.fix.as_ref().map(|fix| &fix.action) {
        Some(Action::Replace { with, .. }) => with.clone(),
        _ => Vec::new(),
    };
    finding.solved = with.iter().all(|sql| rewrite::is_statement(sql));
    // Taking it out solves the others' errors: the statement would fail all the same.
    if let Some(worse) = findings.iter().find(|other| other.severity == Severity::Error)
        && finding.severity < Severity::Error
    {
        finding.severity = Severity::Error;
        finding.server_error.clone_from(&worse.server_error);
    }
    let present = finding.fix.as_ref().is_some_and(|fix| fix.present);
    let mut absence = (!present).then(|| absence_of(&finding, statement, true));
    // What comes in its place needs the same objects.
    findings.retain(|other| !with.is_empty() && (is_dependent(other) || is_present(other)));
    if let Some(other) = findings.first().filter(|other| !is_present(other)) {
        absence = Some(absence_of(other, statement, false));
    }
    findings.insert(0, finding);
    StatementResult {
        findings,
        new: None,
        before: Vec::new(),
        // What comes in its place may create the same object: it is there after all.
        after: with,
        absence,
    }
}

/// It needs an object that will be missing.
fn is_dependent(finding: &Finding) -> bool {
    *finding.rule == rules::dependency::dep_01_missing_dependency::RULE
}

/// What it creates exists without it.
fn is_present(finding: &Finding) -> bool {
    finding.fix.as_ref().is_some_and(|fix| fix.present)
}

/// An error without a fix, of a rule whose losses are accepted: the statement is removed. One that may go well stays.
pub(super) fn accept_loss(finding: &mut Finding, options: &Options, file: &str, whole: Span) {
    finding.take_risk(options, file);
    if whole.is_empty() {
        return;
    }
    finding.can_go = true;
    let is_accepted = || !finding.rule.is_a_risk && finding.rule.is_accepted(options);
    if finding.fails()
        && finding.fix.is_none()
        && (is_accepted() || rewrite::root_is_accepted(finding, options))
    {
        finding.fix = Some(Box::new(Fix {
            title: "Remove it: its loss was accepted".into(),
            safety: Safety::Review,
            present: false,
            action: Action::Remove { span: whole },
            lost: Some(finding.left_out().into()),
        }));
    }
}

fn absence_of(finding: &Finding, statement: &Statement<'_>, removed: bool) -> Absence {
    let (rule, root, place) = if let Some(cause) = &finding.cause {
        (cause.rule.id, cause.object.clone(), cause.place)
    } else {
        let root = finding.object.as_deref().unwrap_or("a statement that fails").to_owned();
        (finding.rule.id, root, statement.place(&statement.range()))
    };
    Absence {
        rule,
        root,
        place,
        removed,
        safety: finding.fix.as_ref().map_or(Safety::None, |fix| fix.safety),
    }
}

fn edits_of(finding: &Finding) -> impl Iterator<Item = &Edit> {
    let edits = match finding.fix.as_ref().map(|fix| &fix.action) {
        Some(Action::Edit { edits, .. }) => edits.as_slice(),
        _ => &[],
    };
    edits.iter()
}

fn changes_of(finding: &Finding) -> &[Change] {
    match finding.fix.as_ref().map(|fix| &fix.action) {
        Some(Action::Edit { changes, .. }) => changes,
        _ => &[],
    }
}

fn same(a: &Finding, b: &Finding) -> bool {
    a.rule == b.rule && a.place == b.place && a.message == b.message
}

/// The same finding in an earlier or later round: places move with the edits.
fn same_words(a: &Finding, b: &Finding) -> bool {
    a.rule == b.rule && a.message == b.message
}

fn mark_solved(findings: &mut [Finding], marks: &[Finding]) {
    for finding in findings {
        finding.solved |= marks.iter().any(|mark| same_words(mark, finding));
    }
}

fn unproved(finding: &mut Finding) {
    finding.fix = None;
    finding.solved = false;
    finding.advice = Some(
        "A rewrite was tried, but its result could not be proved to differ by exactly the intended part, so it \
         is not applied. Change the statement by hand, and please report this statement."
            .into(),
    );
}

/// Edits of several rounds count bytes of different texts: they become one edit of the whole statement.
fn one_edit(findings: &mut [Finding], applied: &[Finding], span: Span, text: &str) {
    let mut first = true;
    for finding in findings.iter_mut().filter(|f| applied.iter().any(|a| same_words(a, f))) {
        if let Some(Action::Edit { edits, .. }) = finding.fix.as_mut().map(|fix| &mut fix.action) {
            *edits = if std::mem::take(&mut first) { vec![Edit::replace(span, text)] } else { Vec::new() };
        }
    }
}
