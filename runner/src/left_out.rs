//! The script of what the target does not have: every statement that was taken out or lost something, with its reason,
//! for the day when the target can take it or somebody makes up for it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use tsmigrate_analyzer::secrets;
use tsmigrate_analyzer::split::{Kind, Splitter};
use tsmigrate_analyzer::{Action, Analysis, Finding};

use crate::human;
use crate::results::{Missing, Script};
use crate::script::Input;

/// Its file.
pub const FILE: &str = "left-out.sql";

const TITLE: &str =
    "What the target does not have, statement by statement with the reason. For reading, and for later.";

const HEAD: &str = "-- What of the source is not on the target, or not as it was there.\n\
    -- All of it is commented out: the target refuses it as it is. Where the reason is gone, or something else takes its\n\
    -- place, take the comment's signs away and run it. Secrets are masked ('…'): put them in again by hand.\n";

/// The texts that statements are taken from, and where each statement is.
struct Texts<'a> {
    inputs: &'a [Input<'a>],
    spans: Vec<Vec<(u64, u64)>>,
}

/// The script of an analysis; none where nothing is left out.
#[must_use]
pub fn script(analysis: &Analysis, inputs: &[Input<'_>]) -> Option<Script> {
    let texts = Texts { inputs, spans: inputs.iter().map(|input| statements(input.text)).collect() };
    let mut seen = BTreeSet::new();
    let (mut lost, mut taken) = (Vec::new(), Vec::new());
    for finding in analysis.findings.iter().filter(|finding| finding.solved) {
        let Some(fix) = &finding.fix else { continue };
        let removed = matches!(fix.action, Action::Remove { .. });
        let place = finding.place;
        if !removed && fix.lost.is_none() || !seen.insert((place.input, place.span.start, finding.rule.id)) {
            continue;
        }
        if fix.lost.is_some() { &mut lost } else { &mut taken }.push(finding);
    }
    if lost.is_empty() && taken.is_empty() {
        return None;
    }
    let mut sql = HEAD.to_owned();
    texts.section(&mut sql, "What is lost", &lost);
    texts.section(
        &mut sql,
        "What was removed because it exists on the target already, or is of no use there",
        &taken,
    );
    sql.shrink_to_fit();
    Some(Script { file: FILE.to_owned(), title: TITLE.to_owned(), rule: String::new(), sql })
}

/// Adds what only the run itself could tell.
pub fn add(scripts: &mut Vec<Script>, missing: &[Missing]) {
    if missing.is_empty() {
        return;
    }
    let position = scripts.iter().position(|script| script.file == FILE);
    let position = position.unwrap_or_else(|| {
        scripts.push(Script {
            file: FILE.to_owned(),
            title: TITLE.to_owned(),
            rule: String::new(),
            sql: HEAD.to_owned(),
        });
        scripts.len() - 1
    });
    let Some(script) = scripts.get_mut(position) else { return };
    script.sql.push_str("\n-- What the run found out\n");
    for Missing { what, why, sql } in missing {
        let _ = write!(
            script.sql,
            "\n{}{}{}",
            comment(&human::clean(&secrets::in_text(what))),
            comment(&human::clean(&format!("  because: {}", secrets::in_text(why)))),
            sql.as_ref().map(|sql| comment(&secrets::in_sql(sql.trim()))).unwrap_or_default()
        );
    }
}

impl Texts<'_> {
    fn section(&self, sql: &mut String, title: &str, findings: &[&Finding]) {
        if findings.is_empty() {
            return;
        }
        let _ = writeln!(sql, "\n-- {title}");
        for finding in findings {
            let place = finding.place;
            let (Some(input), Some(spans)) = (self.inputs.get(place.input), self.spans.get(place.input))
            else {
                continue;
            };
            let head =
                format!("{} ({}, line {}): {}", finding.rule.id, input.part, place.line, finding.message);
            let _ = write!(sql, "\n{}", comment(&human::clean(&head)));
            if let Some(lost) = finding.fix.as_ref().and_then(|fix| fix.lost.as_deref()) {
                sql.push_str(&comment(&human::clean(&format!("  lost: {lost}"))));
            }
            sql.push_str(&comment(&statement(input.text, spans, place.span.start)));
        }
    }
}

/// Lines of a comment. For psql and the server a lone carriage return ends a line too, and what stands behind it would run.
fn comment(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    text.split(['\n', '\r']).fold(String::new(), |all, line| all + format!("-- {line}").trim_end() + "\n")
}

/// The bytes of each statement, in their order.
fn statements(text: &[u8]) -> Vec<(u64, u64)> {
    let mut found = Vec::new();
    let mut sink = |piece: tsmigrate_analyzer::split::Piece<'_>| {
        if matches!(piece.kind, Kind::Statement | Kind::Meta) {
            found.push((piece.span.start, piece.span.end));
        }
    };
    let mut splitter = Splitter::new();
    splitter.feed(text, &mut sink);
    splitter.finish(&mut sink);
    found
}

/// The statement that a byte is in, without what is secret.
fn statement(text: &[u8], spans: &[(u64, u64)], at: u64) -> String {
    let number = spans.partition_point(|(start, _)| *start <= at);
    let range = number
        .checked_sub(1)
        .and_then(|number| spans.get(number))
        .and_then(|(start, end)| Some(usize::try_from(*start).ok()?..usize::try_from(*end).ok()?));
    let bytes = range.and_then(|range| text.get(range)).unwrap_or_default();
    secrets::in_sql(String::from_utf8_lossy(bytes).trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_ends_a_comment() {
        assert_eq!(comment("a\rDROP TABLE b;\r\nc\n"), "-- a\n-- DROP TABLE b;\n-- c\n--\n");
    }
}
