//! Which token of a text a place of its tree comes from. Trees do not tell: each token that may be the one is replaced by
//! a word that stands nowhere else, and the place of that word in the new tree is the token's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

use crate::parse::{Parsed, Token, TokenKind, canonical, parse};

/// So many tokens are tried one by one where they cannot be replaced together.
const MOST: usize = 100;

/// What stands for a token.
fn word(number: usize) -> String {
    format!("moved_{number}_token")
}

fn number(word: &str) -> Option<usize> {
    word.strip_prefix("moved_")?.strip_suffix("_token")?.parse().ok()
}

/// The tokens that these paths of the tree come from.
pub(super) fn tokens(
    sql: &str,
    parsed: &Parsed,
    standard_strings: bool,
    is_candidate: impl Fn(&Token) -> bool,
) -> BTreeMap<String, Token> {
    let candidates: Vec<Token> = parsed.tokens(sql).iter().copied().filter(is_candidate).collect();
    let all: BTreeSet<usize> = (0..candidates.len()).collect();
    let mut found = BTreeMap::new();
    if candidates.is_empty() {
        return found;
    }
    let replace = |which: &BTreeSet<usize>| {
        let mut out = String::with_capacity(sql.len());
        let mut done = 0;
        for (number, token) in candidates.iter().enumerate().filter(|(number, _)| which.contains(number)) {
            out.push_str(sql.get(done..token.start).unwrap_or_default());
            let mark = if token.kind == TokenKind::String { "'" } else { "" };
            // A dot, a bracket or a word may stand right beside a token in quotes.
            let _ = write!(out, " {mark}{}{mark} ", word(number));
            done = token.end;
        }
        out.push_str(sql.get(done..).unwrap_or_default());
        out
    };
    let mut read = |which: &BTreeSet<usize>| {
        let Ok(Some(new)) = parse(&replace(which), standard_strings) else { return false };
        let mut paths = Vec::new();
        leaves(&mut String::new(), &canonical(new.node()), &mut paths);
        for (path, number) in paths {
            if let Some(token) = candidates.get(number) {
                found.insert(path, *token);
            }
        }
        true
    };
    // A keyword is no name everywhere: `DATA` of SET DATA TYPE. Then each is asked for itself.
    if !read(&all) && candidates.len() <= MOST {
        for one in all {
            read(&BTreeSet::from([one]));
        }
    }
    found
}

/// The paths of all words that stand for a token.
fn leaves(path: &mut String, value: &Value, found: &mut Vec<(String, usize)>) {
    let mut below = |step: &str, value: &Value| {
        let length = path.len();
        path.push('/');
        path.push_str(step);
        leaves(path, value, found);
        path.truncate(length);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(field, value)| below(field, value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, value)| below(&at.to_string(), value)),
        Value::String(text) => {
            if let Some(number) = number(text) {
                found.push((path.clone(), number));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_where_the_tree_has_their_names() {
        let sql = "SELECT public.f(public.public) FROM public.public, x AS public";
        let parsed = parse(sql, true).unwrap().unwrap();
        let found = tokens(sql, &parsed, true, |token| token.is_word(sql, "public"));
        let mut starts: Vec<usize> = found.values().map(|token| token.start).collect();
        starts.sort_unstable();
        assert_eq!(starts, [7, 16, 23, 36, 43, 56]);
        let schema = found.iter().find(|(path, _)| path.ends_with("/schemaname")).unwrap();
        assert_eq!(schema.1.start, 36);
    }

    #[test]
    fn a_keyword_that_is_none_of_the_names_is_left_out() {
        let sql = "ALTER TABLE data.t ALTER a SET DATA TYPE data.x";
        let parsed = parse(sql, true).unwrap().unwrap();
        let found = tokens(sql, &parsed, true, |token| token.is_word(sql, "data"));
        let starts: BTreeSet<usize> = found.values().map(|token| token.start).collect();
        assert_eq!(starts, BTreeSet::from([12, 41]));
    }
}
