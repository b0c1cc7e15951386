//! What IN-06 finds, and how it looks for words.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::facts::ObjectId;
use crate::finding::ServerError;
use crate::locate::Statement;
use crate::parse::pg;
use crate::rule::FixDraft;

/// Tables with PARTITION BY.
#[derive(Clone, Debug, Default)]
pub(crate) struct PartitionedTables(pub(crate) BTreeSet<ObjectId>);

/// Something that is newer than some targets.
pub(crate) struct Hit {
    /// In words.
    pub(crate) what: String,
    /// The version that brought it.
    pub(crate) since: u32,
    /// What an older server answers.
    pub(crate) error: ServerError,
    /// Its bytes.
    pub(crate) at: Option<Range<usize>>,
    /// What makes it fit.
    pub(crate) fix: Option<FixDraft>,
}

impl Hit {
    pub(crate) fn new(what: impl Into<String>, since: u32, error: ServerError) -> Self {
        Self { what: what.into(), since, error, at: None, fix: None }
    }

    pub(crate) fn syntax(what: impl Into<String>, since: u32, near: &str) -> Self {
        Self::new(what, since, ServerError::new("42601", format!("syntax error at or near \"{near}\"")))
    }

    pub(crate) fn at(mut self, statement: &Statement<'_>, words: &[&str]) -> Self {
        self.at = statement.words_where(words, |_| true);
        self
    }

    pub(crate) fn at_constraint(mut self, statement: &Statement<'_>, c: &pg::Constraint) -> Self {
        let start = usize::try_from(c.location).ok();
        self.at = start.and_then(|start| {
            // Up to the comma or bracket that ends the constraint.
            let depth = statement.token_at(start)?.depth;
            let end = statement
                .code()
                .skip_while(|token| token.start < start)
                .take_while(|token| {
                    token.depth > depth
                        || token.depth == depth && !matches!(token.text(statement.sql()), "," | ";")
                })
                .last()?
                .end;
            Some(start..end)
        });
        self
    }

    pub(crate) fn fix(mut self, fix: FixDraft) -> Self {
        self.fix = Some(fix);
        self
    }
}

/// True where the text has these letters, in any case, before a byte that the condition takes.
pub(crate) fn mentions(sql: &str, word: &[u8], next: impl Fn(u8) -> bool) -> bool {
    // Letters from those that dumps have least of: the fewer places to look at, the better.
    const RARE: &[u8] = b"jzqxkwvyhgfbpumdclsronaite";
    let rarity = |letter: &u8| RARE.iter().position(|rare| rare == letter).unwrap_or(RARE.len());
    let Some((nth, letter)) = word.iter().enumerate().min_by_key(|(_, letter)| rarity(letter)) else {
        return false;
    };
    memchr::memchr2_iter(*letter, letter.to_ascii_uppercase(), sql.as_bytes()).any(|at| {
        let rest = at.checked_sub(nth).and_then(|start| sql.as_bytes().get(start..)).unwrap_or_default();
        rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
            && rest.get(word.len()).is_none_or(|byte| next(*byte))
    })
}
