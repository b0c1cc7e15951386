//! Allowances: comments of a dump in which a person says that what a rule finds there is fine.
//!
//! `-- tsmigrate: allow RULE reason` stands before a statement, inside of it, or behind it on its last line;
//! `-- tsmigrate: allow-file RULE reason` holds from its place to the end of its input. RULE is an id, a name or a
//! family (`HT-*`); several are separated by commas. A text in quotes, such as a function's body, is no comment.
//!
//! What is allowed stays in the report and does not count. Its statement is left as it is and is taken to work: what
//! it makes is there for whatever needs it. To remove a statement, a loss is accepted: see [`crate::Options`].

use crate::finding::Place;

/// What every allowance begins with.
const MARK: &str = "tsmigrate:";

/// How far an allowance reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// One statement.
    Statement,
    /// What follows of the input.
    Input,
}

/// A comment that speaks to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Comment<'a> {
    /// It allows something.
    Allow {
        /// How far.
        reach: Reach,
        /// Rules or families, as they are written.
        rules: Vec<&'a str>,
        /// Why; may be empty.
        reason: &'a str,
    },
    /// It cannot be understood.
    Unclear,
}

/// Reads a comment, its marks included. `None` where it is not addressed to us.
pub(crate) fn read(comment: &str) -> Option<Comment<'_>> {
    let text = match comment.strip_prefix("/*") {
        Some(text) => text.strip_suffix("*/").unwrap_or(text),
        None => comment.strip_prefix("--")?,
    };
    let text = text.trim().strip_prefix(MARK)?.trim_start();
    let (verb, rest) = word(text);
    let reach = match verb {
        "allow" => Reach::Statement,
        "allow-file" => Reach::Input,
        _ => return Some(Comment::Unclear),
    };
    let (list, reason) = word(rest);
    let rules: Vec<&str> = list.trim_end_matches(':').split(',').filter(|rule| !rule.is_empty()).collect();
    if rules.is_empty() {
        return Some(Comment::Unclear);
    }
    Some(Comment::Allow {
        reach,
        rules,
        reason: reason.trim_start_matches(['-', ':', '–', '—', ' ']).trim_end(),
    })
}

/// The first word and what follows it.
fn word(text: &str) -> (&str, &str) {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word, rest.trim_start())
}

/// True where a text may hold a comment for us: worth a closer look.
pub(crate) fn is_mentioned(text: &[u8]) -> bool {
    memchr::memmem::find(text, MARK.as_bytes()).is_some()
}

/// An allowance that allows nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unused<'a> {
    /// The rule or family, as it is written.
    pub(crate) pattern: &'a str,
    /// It is for an input, not for a statement.
    pub(crate) reach: Reach,
    /// A statement follows it.
    pub(crate) has_statement: bool,
    /// The comment.
    pub(crate) place: Place,
    /// Its text.
    pub(crate) comment: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(comment: &str) -> Option<(Reach, Vec<&str>, &str)> {
        match read(comment) {
            Some(Comment::Allow { reach, rules, reason }) => Some((reach, rules, reason)),
            _ => None,
        }
    }

    #[test]
    fn a_comment_is_read_in_both_forms() {
        let one = Some((Reach::Statement, vec!["EXT-01"], "on request"));
        assert_eq!(rules("-- tsmigrate: allow EXT-01 on request"), one);
        assert_eq!(
            rules("--tsmigrate:allow EXT-01: on request"),
            rules("/* tsmigrate: allow EXT-01: on request */")
        );
        assert_eq!(rules("-- tsmigrate: allow EXT-01 -- on request\r"), one);
        assert_eq!(rules("/* tsmigrate: allow\n  EXT-01\n  on request\n*/"), one);
        assert_eq!(
            rules("-- tsmigrate: allow-file HT-*,own-03"),
            Some((Reach::Input, vec!["HT-*", "own-03"], ""))
        );
    }

    #[test]
    fn only_what_is_addressed_to_us_is_read() {
        assert_eq!(read("-- Name: tsmigrate: allow EXT-01; Type: TABLE"), None);
        assert_eq!(read("-- tsmigrate EXT-01: the target does not take hll"), None);
        assert_eq!(read("-- tsmigrate: alow EXT-01"), Some(Comment::Unclear));
        assert_eq!(read("-- tsmigrate: allow"), Some(Comment::Unclear));
    }
}
