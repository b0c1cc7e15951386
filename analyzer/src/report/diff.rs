//! What a fix changes, as a few lines before and after. It is made from the finding's excerpt: the report does not
//! have the dump.

use super::Entry;
use crate::edit::{Action, Edit};
use crate::secrets::{MASK, in_sql};

/// A line of a diff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Same,
    Old,
    New,
}

impl Mark {
    pub(super) const fn sign(self) -> char {
        match self {
            Self::Same => ' ',
            Self::Old => '-',
            Self::New => '+',
        }
    }
}

/// The lines of a finding before and after its fix. `None` where it has none, or where the excerpt does not show
/// what it changes.
pub(super) fn diff(entry: &Entry<'_>) -> Option<Vec<(Mark, String)>> {
    let shown = entry.excerpt;
    let mut lines: Vec<(Mark, String)> = Vec::new();
    let push = |lines: &mut Vec<_>, mark: Mark, text: &str| {
        lines.extend(text.lines().map(|line| (mark, line.trim_end().to_owned())));
    };
    if shown.text.is_empty() {
        return None;
    }
    match &entry.fix?.action {
        Action::Remove { .. } => push(&mut lines, Mark::Old, &shown.text),
        Action::Surround { before, after, .. } => {
            push(&mut lines, Mark::New, &in_sql(&before.join("\n")));
            push(&mut lines, Mark::Same, &shown.text);
            push(&mut lines, Mark::New, &in_sql(&after.join("\n")));
        }
        Action::Replace { with, .. } => {
            push(&mut lines, Mark::Old, &shown.text);
            push(&mut lines, Mark::New, &in_sql(&with.join("\n")));
        }
        Action::Edit { edits, .. } => {
            let new = edited(entry, edits)?;
            let (old, new): (Vec<&str>, Vec<&str>) = (shown.text.lines().collect(), new.lines().collect());
            let head = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
            let most = old.len().min(new.len()) - head;
            let tail =
                old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(old, new)| old == new).count();
            let part = |lines: &[&str]| lines.join("\n");
            push(&mut lines, Mark::Same, &part(old.get(..head)?));
            push(&mut lines, Mark::Old, &part(old.get(head..old.len() - tail)?));
            push(&mut lines, Mark::New, &part(new.get(head..new.len() - tail)?));
            push(&mut lines, Mark::Same, &part(old.get(old.len() - tail..)?));
        }
    }
    Some(lines)
}

/// Where this byte of the input stands in the excerpt; `None` where it is not there, or where something was masked
/// on the way to it.
pub(super) fn place(entry: &Entry<'_>, byte: u64) -> Option<usize> {
    let shown = entry.excerpt;
    let start = shown.marked().start;
    let first = shown.text.get(..start)?.rfind(MASK).map_or(0, |at| at + MASK.len());
    let last = shown.text.get(start..)?.find(MASK).map_or(shown.text.len(), |at| start + at);
    let from_start = i64::try_from(byte).ok()?.checked_sub(i64::try_from(entry.span.start).ok()?)?;
    let at = usize::try_from(i64::from(shown.start).checked_add(from_start)?).ok()?;
    ((first..=last).contains(&at) && shown.text.is_char_boundary(at)).then_some(at)
}

/// The excerpt with all edits applied, where all of them are in it.
fn edited(entry: &Entry<'_>, edits: &[Edit]) -> Option<String> {
    let text = &entry.excerpt.text;
    let mut order: Vec<&Edit> = edits.iter().collect();
    order.sort_by_key(|edit| edit.span);
    let mut out = String::new();
    let mut done = 0;
    for edit in &order {
        out.push_str(text.get(done..place(entry, edit.span.start)?)?);
        out.push_str(&in_sql(&edit.text));
        done = place(entry, edit.span.end)?;
    }
    out.push_str(text.get(done..)?);
    (!order.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Input, Options, Report, Target, analyze};

    fn lines(text: &str, rule: &str) -> Vec<String> {
        let (target, options) = (Target::default(), Options::default());
        let analysis = analyze(&[Input { name: "a.sql", text: text.as_bytes() }], &target, &options).unwrap();
        let report = Report::new(&analysis, &target, &options);
        let entry = report.findings.iter().find(|entry| entry.rule == rule).unwrap();
        diff(&entry).into_iter().flatten().map(|(mark, line)| format!("{}{line}", mark.sign())).collect()
    }

    #[test]
    fn an_edit_is_shown_on_its_lines() {
        assert_eq!(
            lines("SET default_tablespace = größe;", "TSP-03"),
            ["-SET default_tablespace = größe;", "+SET default_tablespace = '';"]
        );
        assert_eq!(
            lines("CREATE TABLE public.t (\n    a integer\n) TABLESPACE fast;", "TSP-04"),
            Vec::<String>::from(["-) TABLESPACE fast;".into(), "+);".into()])
        );
    }

    #[test]
    fn a_secret_is_not_in_the_way_and_not_shown() {
        let text = "CREATE ROLE a; ALTER ROLE a WITH SUPERUSER LOGIN PASSWORD 'geheim';";
        let lines = lines(text, "ROLE-04");
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(!lines.concat().contains("geheim"), "{lines:?}");
    }
}
