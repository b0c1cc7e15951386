//! What a person asks of an analysis.

use std::collections::BTreeSet;

/// Options of an analysis and of the rewrite that follows from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Rules (by id or name) whose losses are accepted: their fixes that need review are applied, and
    /// statements that no fix can save are taken out.
    pub accept: BTreeSet<String>,
    /// Of a cluster dump, the one database to keep.
    pub database: Option<String>,
    /// Tables (schema, name) that are known to be hypertables on the source.
    pub hypertables: BTreeSet<(String, String)>,
}

impl Options {
    /// True where the losses of this rule are accepted.
    #[must_use]
    pub fn accepts(&self, id: &str, name: &str) -> bool {
        self.accept.iter().any(|rule| rule.eq_ignore_ascii_case(id) || rule.eq_ignore_ascii_case(name))
    }
}
