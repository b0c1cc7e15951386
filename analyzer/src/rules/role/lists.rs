//! Lists of names in a statement, of which a fix removes some, and the place of a role's name.

use std::ops::Range;

use crate::locate::Statement;
use crate::parse::{Change, pg};
use crate::rule::FixDraft;

/// Names in a sentence.
pub(crate) fn listed(names: impl Iterator<Item: AsRef<str>>) -> String {
    names.map(|name| name.as_ref().to_owned()).collect::<Vec<_>>().join(", ")
}

/// The items of a list that begins with the first token at byte `from`, up to one of these words (where
/// an item was read already: `granted` is a fine name for a role) or the end.
pub(crate) fn items(statement: &Statement<'_>, from: usize, stops: &[&str]) -> Vec<Range<usize>> {
    let sql = statement.sql();
    let mut items: Vec<Range<usize>> = Vec::new();
    let mut open: Option<Range<usize>> = None;
    for token in statement.code().skip_while(|token| token.start < from) {
        let text = token.text(sql);
        let stops_here = open.is_some() && stops.iter().any(|stop| token.is_word(sql, stop));
        if token.depth == 0 && (text == ";" || stops_here) {
            break;
        }
        if token.depth == 0 && text == "," {
            items.extend(open.take());
            continue;
        }
        match &mut open {
            Some(item) => item.end = token.end,
            None => open = Some(token.start..token.end),
        }
    }
    items.extend(open);
    items
}

/// Adds to a fix: the items with these numbers leave the list at `path`. `None` where the tokens do not
/// give as many items as the tree has, or where nothing would be left.
pub(crate) fn trim(
    mut fix: FixDraft,
    items: &[Range<usize>],
    expected: usize,
    path: &str,
    drop: &[usize],
) -> Option<FixDraft> {
    if items.len() != expected || drop.len() >= items.len() {
        return None;
    }
    for &index in drop {
        let kept_before = (0..index).any(|earlier| !drop.contains(&earlier));
        let range = if kept_before {
            items.get(index - 1)?.end..items.get(index)?.end
        } else {
            items.get(index)?.start..items.get(index + 1)?.start
        };
        fix = fix.delete(range).change(Change::Remove(format!("{path}/{index}")));
    }
    Some(fix)
}

/// The bytes of a role's name that the tree has a place for.
pub(crate) fn role_range(statement: &Statement<'_>, spec: &pg::RoleSpec) -> Option<Range<usize>> {
    usize::try_from(spec.location).ok().and_then(|at| statement.name_at(at))
}

/// The bytes of `GRANTED BY role`.
pub(crate) fn granted_by(statement: &Statement<'_>, grantor: &pg::RoleSpec) -> Option<Range<usize>> {
    let words = statement.words(&["GRANTED", "BY"])?;
    Some(words.start..role_range(statement, grantor)?.end)
}
